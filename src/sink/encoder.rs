//! A running ffmpeg that reads from us: [`Encoder`].

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a failed ffmpeg may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// An ffmpeg process with our end of its standard input; killed when dropped.
#[derive(Debug)]
pub(super) struct Encoder {
    child: Child,
    /// `None` once all is written.
    stdin: Option<ChildStdin>,
    complaint: Option<JoinHandle<String>>,
}

impl Encoder {
    /// Starts `ffmpeg` with these arguments.
    pub(super) fn start(ffmpeg: &Path, arguments: &[OsString]) -> io::Result<Encoder> {
        let mut command = Command::new(ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        // Ctrl-C in the terminal is for camloc, which then closes the video properly.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        #[cfg(windows)]
        std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NEW_PROCESS_GROUP);
        tracing::debug!(?command, "starting ffmpeg");
        let mut child = command.spawn()?;
        let stdin = child.stdin.take();
        let complaint = child.stderr.take().map(|stderr| thread::spawn(move || first_complaint(stderr)));
        Ok(Encoder { child, stdin, complaint })
    }

    /// Passes bytes on; fails when ffmpeg has ended.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Ends the input and waits for ffmpeg to finish its file; else its reason.
    pub(super) fn finish(mut self) -> Result<(), String> {
        self.stdin = None;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(self.reason()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Why ffmpeg no longer takes our bytes.
    pub(super) fn failure(mut self) -> String {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.reason()
    }

    /// The first line of complaint, or else how the process ended.
    fn reason(&mut self) -> String {
        let ended = self.end();
        let complaint = self.complaint.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        if complaint.is_empty() { ended } else { complaint }
    }

    fn end(&mut self) -> String {
        // Nothing happens to a process that has ended.
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.stdin = None;
        self.end();
    }
}

#[cfg(windows)]
const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;

/// Reads all that ffmpeg says: the first line names the cause, unless a later one tells of a full disk.
fn first_complaint(stderr: ChildStderr) -> String {
    let mut first = String::new();
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        // "[libx264 @ 0x55d0c0ffee] what is wrong"
        let line = line.rsplit_once("] ").map_or(line.as_ref(), |(_, words)| words).trim();
        if first.is_empty() || (line.contains(DISK_FULL) && !first.contains(DISK_FULL)) {
            first = line.to_owned();
        }
    }
    first
}

/// How ffmpeg says that the disk is full.
pub(super) const DISK_FULL: &str = "No space left on device";
