//! How the kernel's virtual host controller talks to a device: USB/IP, as the kernel's
//! `Documentation/usb/usbip_protocol.rst` has it, over a socket handed to the driver.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What the host wants of the device.
pub(super) enum Command {
    /// A transfer: over endpoint 0 as `setup` says, with `data` if it comes from the host; else `length` bytes to send.
    Submit { seq: u32, endpoint: u32, is_in: bool, length: usize, setup: [u8; 8], data: Vec<u8> },
    /// The transfer `victim` is wanted no more.
    Unlink { seq: u32, victim: u32 },
}

/// A device in a port of the virtual host controller; dropping it is pulling the device out.
pub(super) struct Port {
    socket: UnixStream,
}

const HEADER: usize = 48;

impl Port {
    /// Plugs a high-speed device into port 0 to 7.
    pub(super) fn attach(port: u32) -> io::Result<Port> {
        const HIGH_SPEED: u32 = 3;
        let (socket, kernels) = UnixStream::pair()?;
        let device = 1 << 16 | (2 + port);
        let attach = format!("{port} {} {device} {HIGH_SPEED}", kernels.as_raw_fd());
        std::fs::write("/sys/devices/platform/vhci_hcd.0/attach", attach)?;
        Ok(Port { socket })
    }

    /// The next command, if one comes within `wait`; an error is the end.
    pub(super) fn next(&mut self, wait: Duration) -> io::Result<Option<Command>> {
        let mut header = [0; HEADER];
        self.socket.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
        match self.socket.read(&mut header[..1]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        self.socket.set_read_timeout(None)?;
        self.socket.read_exact(&mut header[1..])?;
        let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| header[4 * at + byte]));
        let (kind, seq) = (word(0), word(1));
        if kind == 2 {
            return Ok(Some(Command::Unlink { seq, victim: word(5) }));
        }
        let (is_in, endpoint, length) = (word(3) == 1, word(4), word(6) as usize);
        let mut data = vec![0; if is_in { 0 } else { length }];
        self.socket.read_exact(&mut data)?;
        let setup = [0, 1, 2, 3, 4, 5, 6, 7].map(|byte| header[40 + byte]);
        Ok(Some(Command::Submit { seq, endpoint, is_in, length, setup, data }))
    }

    /// Sends what was asked for.
    pub(super) fn send(&mut self, seq: u32, data: &[u8]) -> io::Result<()> {
        self.reply([3, seq, 0, 0, 0, 0, data.len() as u32], data)
    }

    /// Says that all `length` bytes were taken.
    pub(super) fn accept(&mut self, seq: u32, length: usize) -> io::Result<()> {
        self.reply([3, seq, 0, 0, 0, 0, length as u32], &[])
    }

    /// Says that there is no such thing.
    pub(super) fn refuse(&mut self, seq: u32) -> io::Result<()> {
        const EPIPE: i32 = 32;
        self.reply([3, seq, 0, 0, 0, -EPIPE as u32, 0], &[])
    }

    /// Answers an `Unlink`: whether its victim was still waiting.
    pub(super) fn unlinked(&mut self, seq: u32, was_waiting: bool) -> io::Result<()> {
        const ECONNRESET: i32 = 104;
        self.reply([4, seq, 0, 0, 0, if was_waiting { -ECONNRESET as u32 } else { 0 }, 0], &[])
    }

    fn reply(&mut self, words: [u32; 7], data: &[u8]) -> io::Result<()> {
        let mut message = Vec::with_capacity(HEADER + data.len());
        message.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        message.resize(HEADER, 0);
        message.extend(data);
        self.socket.write_all(&message)
    }
}
