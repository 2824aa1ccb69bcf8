//! How a child process ended that did not do its work.

use std::process::ExitStatus;

/// The signal (Unix) or exception (Windows) that ended a child, in the system's words; `None` where it ended by itself.
pub(crate) fn crash(status: ExitStatus) -> Option<String> {
    #[cfg(unix)]
    let crashed = std::os::unix::process::ExitStatusExt::signal(&status).is_some();
    // Exit codes of the severity "error" are those of exceptions, such as 0xc0000005, an access violation.
    #[cfg(windows)]
    let crashed = status.code().is_some_and(|code| code as u32 >= 0xc000_0000);
    #[cfg(not(any(unix, windows)))]
    let crashed = false;
    crashed.then(|| status.to_string())
}

#[cfg(all(test, unix))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_signal_is_a_crash_and_an_exit_code_is_none() {
        let ended = |script| Command::new("sh").args(["-c", script]).status().unwrap();
        assert!(crash(ended("kill -SEGV $$")).unwrap().contains("SIGSEGV"));
        assert_eq!(crash(ended("exit 139")), None);
        assert_eq!(crash(ended("exit 0")), None);
    }
}
