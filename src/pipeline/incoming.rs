//! Frames on their way to the model, from every stream that shares it.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Select, TryRecvError};

use crate::frame::Frame;

/// A frame that is to be explained.
pub(super) struct Asked {
    /// The stream that it comes from.
    pub(super) stream: usize,
    pub(super) frame: Arc<Frame>,
}

/// What is to be done next.
pub(super) enum Next {
    /// Explain these in one pass: at least one, and of no stream more than one.
    Explain(Vec<Asked>),
    /// Go on asking about this one, which is paused.
    Refine(Asked),
    /// There is nothing more.
    End,
}

/// Frames that wait, a channel for each stream, and those that are paused.
pub(super) struct Incoming {
    /// `None` where the stream has ended.
    streams: Vec<Option<Receiver<Frame>>>,
    wanted: Receiver<Asked>,
    /// The stream that is asked first: where a pass can't take all, they take turns.
    first: usize,
}

impl Incoming {
    pub(super) fn new(streams: Vec<Receiver<Frame>>, wanted: Receiver<Asked>) -> Incoming {
        Incoming { streams: streams.into_iter().map(Some).collect(), wanted, first: 0 }
    }

    /// Waits for something to do. Frames of at most `most` streams are taken together, and none is waited for while
    /// another is there: a pass is worth more soon than full.
    pub(super) fn next(&mut self, most: usize) -> Next {
        while self.streams.iter().any(Option::is_some) {
            let mut select = Select::new();
            select.recv(&self.wanted);
            for frames in self.streams.iter().flatten() {
                select.recv(frames);
            }
            select.ready();
            match self.wanted.try_recv() {
                Ok(paused) => return Next::Refine(paused),
                Err(TryRecvError::Empty) => {}
                // Nobody draws any more.
                Err(TryRecvError::Disconnected) => break,
            }
            let waiting = self.take(most);
            if !waiting.is_empty() {
                return Next::Explain(waiting);
            }
        }
        Next::End
    }

    fn take(&mut self, most: usize) -> Vec<Asked> {
        let count = self.streams.len();
        let mut taken = Vec::new();
        for stream in (0..count).map(|turn| (self.first + turn) % count) {
            if taken.len() == most {
                self.first = stream;
                break;
            }
            match self.streams[stream].as_ref().map(Receiver::try_recv) {
                Some(Ok(frame)) => taken.push(Asked { stream, frame: Arc::new(frame) }),
                Some(Err(TryRecvError::Disconnected)) => self.streams[stream] = None,
                Some(Err(TryRecvError::Empty)) | None => {}
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crossbeam_channel::{Sender, bounded, unbounded};

    use super::*;
    use crate::frame::Picture;

    fn send(frames: &Sender<Frame>, seq: u64) {
        let picture = Picture::black(1, 1);
        frames.send(Frame { seq, time: Duration::ZERO, arrived: Instant::now(), picture }).unwrap();
    }

    /// Three streams, and the channel of those that are paused.
    fn three() -> (Vec<Sender<Frame>>, Sender<Asked>, Incoming) {
        let (senders, receivers) = (0..3).map(|_| unbounded()).unzip();
        let (paused, wanted) = bounded(1);
        (senders, paused, Incoming::new(receivers, wanted))
    }

    /// Streams and frame numbers of what is explained next.
    fn explained(incoming: &mut Incoming, most: usize) -> Vec<(usize, u64)> {
        match incoming.next(most) {
            Next::Explain(asked) => asked.iter().map(|asked| (asked.stream, asked.frame.seq)).collect(),
            Next::Refine(_) => panic!("nothing is paused"),
            Next::End => vec![],
        }
    }

    #[test]
    fn what_waits_goes_together_in_order_and_nobody_is_waited_for() {
        let (streams, _paused, mut incoming) = three();
        for (stream, seq) in [(0, 0), (2, 0), (0, 1)] {
            send(&streams[stream], seq);
        }
        assert_eq!(explained(&mut incoming, 3), [(0, 0), (2, 0)]);
        assert_eq!(explained(&mut incoming, 3), [(0, 1)]);
    }

    #[test]
    fn streams_take_turns_where_a_pass_takes_few() {
        let (streams, _paused, mut incoming) = three();
        for _ in 0..2 {
            streams.iter().for_each(|stream| send(stream, 0));
        }
        let passes: Vec<_> = (0..3).map(|_| explained(&mut incoming, 2)).collect();
        assert_eq!(passes, [[(0, 0), (1, 0)], [(2, 0), (0, 0)], [(1, 0), (2, 0)]]);
    }

    #[test]
    fn a_stream_that_ends_leaves_the_others_and_the_last_one_ends_it_all() {
        let (mut streams, _paused, mut incoming) = three();
        send(&streams[1], 7);
        streams.truncate(2);
        streams.remove(0);
        assert_eq!(explained(&mut incoming, 3), [(1, 7)]);
        drop(streams);
        assert!(matches!(incoming.next(3), Next::End));
    }

    #[test]
    fn a_paused_frame_comes_first() {
        let (streams, paused, mut incoming) = three();
        send(&streams[0], 1);
        let frame =
            Frame { seq: 0, time: Duration::ZERO, arrived: Instant::now(), picture: Picture::black(1, 1) };
        paused.send(Asked { stream: 2, frame: Arc::new(frame) }).unwrap();
        assert!(matches!(incoming.next(3), Next::Refine(Asked { stream: 2, .. })));
        assert_eq!(explained(&mut incoming, 3), [(0, 1)]);
    }
}
