//! A USB webcam without a webcam: it plugs itself into the kernel's virtual host controller and speaks the USB Video
//! Class, so that the kernel's own `uvcvideo` makes `/dev/videoN` of it.
//!
//! `webcam PORT [--name NAME] [--stall-after SECONDS] MODE…` runs until it is killed, which pulls it out. Every frame is
//! sent once and in order; a host that is late gets them later. With `--stall-after`, each stream falls silent.

mod descriptors;
mod mode;
mod usbip;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mode::Mode;
use usbip::{Command, Port};

/// Bytes in one transfer, with its header of 2 bytes.
const PAYLOAD: usize = 16384;

pub(crate) fn run(arguments: &[String]) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("what is {what}?"));
    let (mut name, mut stall_after, mut modes) = ("Test Webcam".to_owned(), Duration::MAX, Vec::new());
    let (port, rest) = arguments.split_first().ok_or_else(|| wrong("the port"))?;
    let port = port.parse().map_err(|_| wrong(port))?;
    let mut rest = rest.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or_else(|| wrong(argument));
        match argument.as_str() {
            "--name" => name = value()?.clone(),
            "--stall-after" => {
                stall_after = Duration::from_secs_f64(value()?.parse().map_err(|_| wrong(argument))?);
            }
            _ => modes.push(Mode::parse(argument).ok_or_else(|| wrong(argument))?),
        }
    }
    modes.sort_by_key(|mode| mode.format);
    let mut formats: Vec<Vec<Mode>> = Vec::new();
    for mode in modes {
        match formats.last_mut() {
            Some(last) if last[0].format == mode.format => last.push(mode),
            _ => formats.push(vec![mode]),
        }
    }
    let port = Port::attach(port)?;
    let control = [0; CONTROL];
    let mut webcam =
        Webcam { port, name, stall_after, formats, control, stream: None, waiting: VecDeque::new(), sent: 0 };
    webcam.control = webcam.granted(control);
    loop {
        let wait = webcam.send_what_is_due()?;
        if let Some(command) = webcam.port.next(wait)? {
            webcam.obey(command)?;
        }
    }
}

/// A line with the time, as `agent.sh` stamps them.
fn say(what: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    println!("{:.6} {what}", now.as_secs_f64());
}

/// Length of the block by which host and webcam settle the format (UVC 1.0, 4.3.1.1).
const CONTROL: usize = 26;

struct Webcam {
    port: Port,
    name: String,
    stall_after: Duration,
    /// The modes of each format, which count from 1 in what is said over USB.
    formats: Vec<Vec<Mode>>,
    control: [u8; CONTROL],
    stream: Option<Stream>,
    /// Transfers that wait for frames: number and length.
    waiting: VecDeque<(u32, usize)>,
    /// Frames sent since the start, which is the number of the next one.
    sent: u32,
}

struct Stream {
    format: usize,
    mode: usize,
    interval: Duration,
    began: Instant,
    /// When the next frame begins.
    due: Instant,
    is_silent: bool,
    /// The frame under way, and how much of it is sent.
    frame: Option<(Vec<u8>, usize)>,
}

impl Webcam {
    /// Fills waiting transfers; how long nothing will be due.
    fn send_what_is_due(&mut self) -> io::Result<Duration> {
        const IDLE: Duration = Duration::from_millis(50);
        let Some(stream) = &mut self.stream else { return Ok(IDLE) };
        if stream.began.elapsed() > self.stall_after {
            if !std::mem::replace(&mut stream.is_silent, true) {
                say("silent");
            }
            return Ok(IDLE);
        }
        let now = Instant::now();
        if stream.frame.is_none() && stream.due <= now {
            let mode = &self.formats[stream.format][stream.mode];
            stream.frame = Some((mode.frame(self.sent).into_owned(), 0));
            stream.due = (stream.due + stream.interval).max(now);
        }
        while let (Some((frame, at)), Some(&(seq, room))) = (&mut stream.frame, self.waiting.front()) {
            let length = (room.min(PAYLOAD) - 2).min(frame.len() - *at);
            let is_last = *at + length == frame.len();
            // The first bit changes from frame to frame, the second marks a frame's end.
            let flags = 0x80 | (self.sent & 1) as u8 | u8::from(is_last) << 1;
            let payload = [&[2, flags], &frame[*at..*at + length]].concat();
            *at += length;
            self.waiting.pop_front();
            self.port.send(seq, &payload)?;
            if is_last {
                stream.frame = None;
                self.sent += 1;
            }
        }
        Ok(if stream.frame.is_none() { stream.due.saturating_duration_since(now).min(IDLE) } else { IDLE })
    }

    fn obey(&mut self, command: Command) -> io::Result<()> {
        match command {
            Command::Unlink { seq, victim } => {
                let before = self.waiting.len();
                self.waiting.retain(|&(seq, _)| seq != victim);
                self.port.unlinked(seq, self.waiting.len() < before)
            }
            Command::Submit { seq, endpoint: descriptors::VIDEO_ENDPOINT, length, .. } => {
                self.waiting.push_back((seq, length));
                Ok(())
            }
            Command::Submit { seq, is_in: true, length, setup, .. } => match self.tell(setup) {
                Some(answer) => self.port.send(seq, &answer[..answer.len().min(length)]),
                None => self.port.refuse(seq),
            },
            Command::Submit { seq, length, setup, data, .. } => {
                if self.take(setup, &data) {
                    self.port.accept(seq, length)
                } else {
                    self.port.refuse(seq)
                }
            }
        }
    }

    /// What the host asks over endpoint 0: `setup` is request type, request, value, index, length.
    fn tell(&self, setup: [u8; 8]) -> Option<Vec<u8>> {
        let (value, interface) = ((setup[2], setup[3]), setup[4]);
        match (setup[0], setup[1]) {
            (0x80, 6) => match value {
                (_, 1) => Some(descriptors::DEVICE.to_vec()),
                (_, 2) => Some(descriptors::configuration(&self.formats)),
                (index, 3) => Some(descriptors::string(index, &self.name)),
                _ => None,
            },
            (0x80..=0x82, 0) => Some(vec![0, 0]), // status
            (0xa1, 0x81) if interface == 1 => Some(self.control.to_vec()),
            // The smallest, the largest and the usual settings are all the nearest to the present ones.
            (0xa1, 0x82 | 0x83 | 0x87) if interface == 1 => Some(self.granted(self.control).to_vec()),
            (0xa1, 0x85) if interface == 1 => Some(vec![CONTROL as u8, 0]),
            (0xa1, 0x86) if interface == 1 => Some(vec![3]), // can be read and set
            _ => None,
        }
    }

    /// What the host sets over endpoint 0; whether that can be.
    fn take(&mut self, setup: [u8; 8], data: &[u8]) -> bool {
        match (setup[0], setup[1]) {
            (0, 9) | (1, 11) => true, // the one configuration, the one setting
            // Clearing the endpoint is how uvcvideo ends a stream over a bulk endpoint.
            (2, 1) => {
                self.stream = None;
                true
            }
            (0x21, 1) if setup[4] == 1 => {
                let length = data.len().min(CONTROL);
                self.control[..length].copy_from_slice(&data[..length]);
                self.control = self.granted(self.control);
                if setup[3] == 2 {
                    self.begin();
                }
                true
            }
            _ => false,
        }
    }

    /// The settings nearest to those asked for: format, mode and interval.
    fn granted(&self, mut asked: [u8; CONTROL]) -> [u8; CONTROL] {
        let format = usize::from(asked[2].max(1)).min(self.formats.len());
        let modes = &self.formats[format - 1];
        let index = usize::from(asked[3].max(1)).min(modes.len());
        let mode = &modes[index - 1];
        let wanted = u32::from_le_bytes([asked[4], asked[5], asked[6], asked[7]]);
        let nearest =
            (0..mode.rates.len()).map(|rate| mode.interval(rate)).min_by_key(|i| i.abs_diff(wanted));
        let interval = if wanted == 0 { mode.interval(0) } else { nearest.unwrap_or(wanted) };
        asked[2] = format as u8;
        asked[3] = index as u8;
        asked[4..8].copy_from_slice(&interval.to_le_bytes());
        asked[18..22].copy_from_slice(&mode.largest_frame().to_le_bytes());
        asked[22..26].copy_from_slice(&(PAYLOAD as u32).to_le_bytes());
        asked
    }

    fn begin(&mut self) {
        let [.., format, mode, a, b, c, d] = self.control[..8] else { return };
        let interval = Duration::from_nanos(100 * u64::from(u32::from_le_bytes([a, b, c, d])));
        let (format, mode, now) = (usize::from(format) - 1, usize::from(mode) - 1, Instant::now());
        self.stream =
            Some(Stream { format, mode, interval, began: now, due: now, is_silent: false, frame: None });
    }
}
