//! The user's own pip, which fetches wheels: it knows the mirror, the proxy and the offline folder to use.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{sleep, spawn};
use std::time::Duration;

use super::manifest::{Pinned, Wheel};

/// How often progress is reported.
const TICK: Duration = Duration::from_millis(100);

/// The ways to start pip, in the order in which they are tried.
#[derive(Clone, Debug)]
pub(super) struct Pip(pub(super) Vec<Vec<OsString>>);

/// Why pip fetched nothing.
#[derive(Debug)]
pub(super) enum PipError {
    /// None of the ways to start it works.
    Absent,
    /// No index was reached; with pip's reason.
    Network(String),
    DiskFull,
    /// With pip's last meaningful line.
    Failed(String),
    Io(io::Error),
}

impl Default for Pip {
    fn default() -> Pip {
        let ways: [&[&str]; 5] =
            [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["py", "-m", "pip"], &["pip3"], &["pip"]];
        Pip(ways.iter().map(|way| way.iter().map(OsString::from).collect()).collect())
    }
}

impl Pip {
    /// Downloads a wheel into `folder`, an empty one, and returns its path. Its content is *not* checked here.
    ///
    /// `progress` gets the bytes so far.
    pub(super) fn download(
        &self,
        pinned: &Pinned,
        wheel: &Wheel,
        folder: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PathBuf, PipError> {
        let mut pip = self.working(folder).ok_or(PipError::Absent)?;
        pip.args(["download", "--quiet", "--no-deps", "--only-binary=:all:", "--implementation", "cp"]);
        pip.args(["--python-version", &pinned.python, "--abi", &format!("cp{}", pinned.python)]);
        pip.args(["--platform", &wheel.platform]).arg("--dest").arg(folder);
        pip.arg(format!("{}=={}", pinned.package, pinned.version));
        tracing::debug!(?pip, "fetching");

        let (status, said) = run(&mut pip, || progress(largest_file(folder))).map_err(PipError::Io)?;
        let file = folder.join(&wheel.file);
        if status.success() && file.is_file() {
            return Ok(file);
        }
        tracing::debug!(%status, %said, "pip failed");
        Err(if status.success() {
            PipError::Failed(format!("it did not bring {}", wheel.file))
        } else {
            reason(&said)
        })
    }

    /// The first way to start pip that works, to be run in `folder`.
    fn working(&self, folder: &Path) -> Option<Command> {
        let works = |way: &Vec<OsString>| {
            command(way, folder)?
                .arg("--version")
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
                .then_some(())
        };
        self.0.iter().find(|way| works(way).is_some()).and_then(|way| command(way, folder))
    }
}

fn command(way: &[OsString], folder: &Path) -> Option<Command> {
    let (program, arguments) = way.split_first()?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    // Python also looks for modules in the working directory, and what lies there is not ours.
    command.current_dir(folder);
    // pip downloads into the temporary folder first: there it can be watched, and is swept up in any case.
    command.envs(["TMPDIR", "TEMP", "TMP"].map(|name| (name, folder)));
    command
        .env("PIP_NO_INPUT", "1")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_REQUIRE_VIRTUALENV", "0");
    Some(command)
}

/// Runs a command to its end; returns what it wrote to stderr, too.
fn run(command: &mut Command, mut tick: impl FnMut()) -> io::Result<(ExitStatus, String)> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    // In a thread of its own, for a full pipe would stop pip; and in memory, for the disk may be what is full.
    let listener = child.stderr.take().map(|mut stderr| {
        spawn(move || {
            let mut said = Vec::new();
            let _ = stderr.read_to_end(&mut said);
            said
        })
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        tick();
        sleep(TICK);
    };
    let said = listener.and_then(|listener| listener.join().ok()).unwrap_or_default();
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

/// The size of the largest file below a folder: of all that pip writes, that is the wheel.
fn largest_file(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => largest_file(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.map(size).max().unwrap_or(0)
}

/// Makes sense of what a failing pip printed.
fn reason(said: &str) -> PipError {
    if said.contains("No space left on device") || said.contains("Disk quota exceeded") {
        return PipError::DiskFull;
    }
    // Without a network pip ends with "no matching distribution", which misleads: the warnings above it say why.
    const BROKEN: [&str; 4] =
        ["connection broken by", "Could not fetch URL", "Connection error", "ProxyError"];
    if let Some(line) = said.lines().rfind(|line| BROKEN.iter().any(|broken| line.contains(broken))) {
        // The reason is inside `…Error('<… object at 0x…>: REASON')': /simple/…`.
        let line = line.rsplit_once(">: ").map_or(line, |(_, reason)| reason);
        return PipError::Network(shorten(line.split_once("')'").map_or(line, |(reason, _)| reason)));
    }
    let noise = |line: &&str| {
        !line.trim().is_empty() && !line.starts_with("[notice]") && !line.starts_with("WARNING")
    };
    let line = said.lines().rfind(noise).or_else(|| said.lines().last()).unwrap_or("it said nothing");
    PipError::Failed(shorten(line.trim_start_matches("ERROR:")))
}

/// A line that fits into a message.
fn shorten(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_network_is_told_from_a_missing_package() {
        let offline = "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by \
            'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f51>: Failed to establish \
            a new connection: [Errno -2] Name or service not known')': /simple/onnxruntime/\n\
            ERROR: Could not find a version that satisfies the requirement onnxruntime==1.32.0 (from versions: none)\n\
            ERROR: No matching distribution found for onnxruntime==1.32.0\n";
        let PipError::Network(said) = reason(offline) else { panic!("{:?}", reason(offline)) };
        assert_eq!(said, "Failed to establish a new connection: [Errno -2] Name or service not known");

        let absent = "ERROR: Could not find a version that satisfies the requirement a==1 (from versions: 2)\n\
            ERROR: No matching distribution found for a==1\n\n[notice] A new release of pip is available: 1 -> 2\n";
        let PipError::Failed(said) = reason(absent) else { panic!("{:?}", reason(absent)) };
        assert_eq!(said, "No matching distribution found for a==1");
    }

    #[test]
    fn a_full_disk_is_told_from_the_rest() {
        let full =
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n";
        assert!(matches!(reason(full), PipError::DiskFull));
    }

    #[test]
    fn any_output_gives_a_short_reason() {
        assert!(matches!(reason(""), PipError::Failed(said) if !said.is_empty()));
        assert!(matches!(reason(&"é".repeat(5000)), PipError::Failed(said) if said.chars().count() == 201));
    }
}
