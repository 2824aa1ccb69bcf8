//! A running ffmpeg that reads from us: [`Encoder`].

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::SinkError;
use crate::child;
use crate::files::FileError;

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
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.stdin = None;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(self.reason()),
            Err(error) => Err(Failure::Complaint(error.to_string())),
        }
    }

    /// Why ffmpeg no longer takes our bytes.
    pub(super) fn failure(mut self) -> Failure {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.reason()
    }

    /// The first line of complaint, or else how the process ended.
    fn reason(&mut self) -> Failure {
        let by_itself = matches!(self.child.try_wait(), Ok(Some(_)));
        let ended = self.end();
        let complaint = self.complaint.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        match ended {
            Ok(status) => match child::crash(status).filter(|_| by_itself) {
                Some(how) => Failure::Crash(how),
                None if complaint.is_empty() => Failure::Complaint(status.to_string()),
                None => Failure::Complaint(complaint),
            },
            Err(error) => Failure::Complaint(error.to_string()),
        }
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        // Nothing happens to a process that has ended.
        let _ = self.child.kill();
        self.child.wait()
    }
}

/// Why ffmpeg wrote no whole file.
#[derive(Debug, PartialEq)]
pub(super) enum Failure {
    /// What it said itself, or its exit code.
    Complaint(String),
    /// The signal that ended it.
    Crash(String),
}

impl Failure {
    /// Whether there was no room for the file.
    pub(super) fn is_full_disk(&self) -> bool {
        matches!(self, Failure::Complaint(reason) if reason.contains(DISK_FULL))
    }

    /// The error of the file `path`, which `ffmpeg` was to write.
    pub(super) fn error(self, path: &Path, ffmpeg: &Path) -> SinkError {
        let path = path.to_owned();
        match self {
            _ if self.is_full_disk() => FileError::DiskFull { path }.into(),
            Failure::Complaint(reason) => SinkError::Encoder { path, reason },
            Failure::Crash(how) => SinkError::EncoderCrashed { path, ffmpeg: ffmpeg.to_owned(), how },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Complaint(reason) => f.write_str(reason),
            Failure::Crash(how) => write!(f, "crashed ({how})"),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.stdin = None;
        // Dropped in any case: nobody is left to hear of it.
        let _ = self.end();
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
const DISK_FULL: &str = "No space left on device";
