//! Hand-over of frames from a capture thread: newest wins.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::frame::Frame;

/// The capture thread's end.
pub(super) struct Newest {
    give: Sender<Frame>,
    take_back: Receiver<Frame>,
}

impl Newest {
    /// Both ends; the receiver finds the newest frame, or waits for one.
    pub(super) fn channel() -> (Newest, Receiver<Frame>) {
        let (give, take) = bounded(1);
        (Newest { give, take_back: take.clone() }, take)
    }

    /// Hands a frame over, in place of one that nobody took.
    pub(super) fn offer(&self, frame: Frame) {
        if let Err(TrySendError::Full(frame)) = self.give.try_send(frame) {
            drop(self.take_back.try_recv());
            // Only this end sends, so there is room now.
            let _ = self.give.try_send(frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Picture;
    use std::time::{Duration, Instant};

    #[test]
    fn a_slow_taker_gets_the_newest_frame_and_then_the_end() {
        let (give, take) = Newest::channel();
        for seq in 0..5 {
            let picture = Picture::black(1, 1);
            give.offer(Frame { seq, time: Duration::ZERO, arrived: Instant::now(), picture });
        }
        drop(give);
        assert_eq!(take.recv().unwrap().seq, 4);
        assert!(take.recv().is_err());
    }
}
