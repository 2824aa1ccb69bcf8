//! The virtual machine: QEMU, by software emulation, with Debian's kernel and the host's own files.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use camloc::assets::{Asset, Store};

/// Until the guest must have started, and until a script must have ended, on a machine that is very busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running guest; it is gone when dropped.
pub(crate) struct Guest {
    qemu: Child,
    names: ChildStdin,
    done: Receiver<String>,
    share: PathBuf,
}

impl Guest {
    /// Starts to boot a guest whose `/mnt` is `share`. An error says why there can't be one here.
    pub(crate) fn start(share: &Path) -> Result<Guest, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/camera-vm");
        let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/camera-vm");
        let setup = Command::new("sh").arg(here.join("setup.sh")).arg(&machine).output();
        let setup = setup.map_err(|error| format!("sh: {error}"))?;
        if !setup.status.success() {
            let said = String::from_utf8_lossy(&setup.stderr);
            return Err(said.lines().last().unwrap_or("setup.sh failed").to_owned());
        }
        let test = std::env::current_exe().expect("the test itself");
        let library = Store::open().expect("the cache").get(Asset::OnnxRuntime, &mut |_| {});
        let environment = [
            ("CAMERA_VM", test),
            ("CAMLOC", PathBuf::from(env!("CARGO_BIN_EXE_camloc"))),
            ("MODULES", machine.clone()),
            ("LIBRARY", library.expect("ONNX Runtime")),
        ];
        let lines = environment.map(|(name, path)| format!("{name}='{}'\n", path.display()));
        std::fs::write(share.join("environment"), lines.concat()).expect("the shared folder");

        let mut qemu = Command::new("qemu-system-x86_64");
        // A virtual nanosecond for each instruction. Without `sleep=on`, the default, time would leap while the guest
        // waits for the host's files.
        qemu.args([
            "-accel",
            "tcg,thread=single",
            "-icount",
            "shift=0",
            "-cpu",
            "max",
            "-M",
            "pc",
            "-m",
            "1536",
        ]);
        qemu.args(["-nodefaults", "-nic", "none", "-display", "none", "-no-reboot"]);
        qemu.arg("-kernel").arg(machine.join("kernel")).arg("-initrd").arg(machine.join("initrd"));
        let agent = here.join("agent.sh");
        let boot = "console=ttyS0 quiet panic=-1 mitigations=off";
        qemu.arg("-append").arg(format!("{boot} CAMERA_VM_AGENT={}", agent.display()));
        let folder = "security_model=none,multidevs=remap";
        qemu.arg("-virtfs").arg(format!("local,path=/,mount_tag=host,readonly=on,{folder}"));
        qemu.arg("-virtfs").arg(format!("local,path={},mount_tag=share,{folder}", share.display()));
        qemu.arg("-serial").arg(format!("file:{}", share.join("console").display()));
        qemu.args(["-chardev", "stdio,id=agent,signal=off", "-serial", "chardev:agent"]);
        let log = std::fs::File::create(share.join("qemu")).expect("the shared folder");
        let qemu = qemu.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).spawn();
        let mut qemu = qemu.map_err(|error| format!("qemu-system-x86_64: {error}"))?;
        let (names, lines) = (qemu.stdin.take().expect("a pipe"), qemu.stdout.take().expect("a pipe"));
        let (say, done) = channel();
        std::thread::spawn(move || {
            BufReader::new(lines).lines().map_while(Result::ok).try_for_each(|line| say.send(line))
        });
        Ok(Guest { qemu, names, done, share: share.to_owned() })
    }

    /// Waits until it has booted.
    pub(crate) fn wait_until_ready(&mut self) {
        self.wait_for("ready");
    }

    /// Runs a script of `agent.sh`'s words in a folder of its own, and says what came of it.
    pub(crate) fn run(&mut self, name: &str, script: &str) -> Run {
        let folder = self.share.join(name);
        std::fs::create_dir(&folder).expect("the shared folder");
        std::fs::write(folder.join("script"), script).expect("the shared folder");
        writeln!(self.names, "{name}").expect("the guest listens");
        self.wait_for(name);
        let run = Run { folder };
        assert_eq!(run.text("trouble"), "", "cameras came and went otherwise than they should");
        run
    }

    fn wait_for(&mut self, word: &str) {
        match self.done.recv_timeout(PATIENCE) {
            Ok(line) => assert_eq!(line.trim(), word),
            Err(error) => {
                // It would answer the next question late.
                let _ = self.qemu.kill();
                panic!("the guest did not say {word}: {error}; see {}", self.share.display());
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// What a script left behind.
pub(crate) struct Run {
    folder: PathBuf,
}

/// A line, and when it was said, in seconds of the guest's clock.
pub(crate) struct Said {
    pub(crate) at: f64,
    pub(crate) line: String,
}

impl Run {
    /// The script's exit status, which is that of its last command.
    pub(crate) fn status(&self) -> i32 {
        self.text("status").trim().parse().expect("an exit status")
    }

    /// A file that the script wrote; empty if it wrote none.
    pub(crate) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }

    /// The lines of a file of stamped lines.
    pub(crate) fn said(&self, file: &str) -> Vec<Said> {
        let text = self.text(file);
        let lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.map(|(at, line)| Said { at: at.parse().expect("a time"), line: line.to_owned() }).collect()
    }

    /// When a line with these words was said in `file`.
    #[track_caller]
    pub(crate) fn when(&self, file: &str, words: &str) -> f64 {
        let found = self.said(file).into_iter().find(|said| said.line.contains(words));
        found.unwrap_or_else(|| panic!("no {words:?} in {file}: {}", self.text(file))).at
    }
}
