//! A recording that comes as fast as it was recorded: [`PacedSource`].

use std::time::Instant;

use super::{Event, FrameSource, SourceError, SourceInfo, Stop};

/// Gives each frame of a source when its time has come, none before, and leaves none out.
pub(crate) struct PacedSource {
    source: Box<dyn FrameSource>,
    stop: Stop,
    /// When the first frame would have come, had all been in time.
    began: Option<Instant>,
}

impl PacedSource {
    /// Gives the frames of `source` at their own pace. A wait ends early when `stop` is stopped.
    pub(crate) fn new(source: Box<dyn FrameSource>, stop: &Stop) -> PacedSource {
        PacedSource { source, stop: stop.clone(), began: None }
    }
}

impl FrameSource for PacedSource {
    fn info(&self) -> &SourceInfo {
        self.source.info()
    }

    fn next(&mut self) -> Result<Event, SourceError> {
        let mut event = self.source.next()?;
        if let Event::Frame(frame) = &mut event {
            if let Some(began) = self.began
                && self.stop.sleep_until(began + frame.time)
            {
                return Ok(Event::End);
            }
            frame.arrived = Instant::now();
            // A pause or a slow model is not made up for by haste.
            self.began = frame.arrived.checked_sub(frame.time);
        }
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::frame::{Frame, Picture};

    /// As many frames as are left, 20 ms apart.
    struct Frames(SourceInfo, std::ops::Range<u64>);

    impl FrameSource for Frames {
        fn info(&self) -> &SourceInfo {
            &self.0
        }

        fn next(&mut self) -> Result<Event, SourceError> {
            Ok(self.1.next().map_or(Event::End, |seq| {
                let (time, picture) = (Duration::from_millis(20 * seq), Picture::black(1, 1));
                Event::Frame(Frame { seq, time, arrived: Instant::now(), picture })
            }))
        }
    }

    fn paced(frames: u64, stop: &Stop) -> PacedSource {
        PacedSource::new(Box::new(Frames(SourceInfo::default(), 0..frames)), stop)
    }

    #[test]
    fn frames_come_at_their_time_and_haste_makes_up_for_nothing() {
        let mut source = paced(4, &Stop::new());
        let mut arrivals = Vec::new();
        while let Event::Frame(frame) = source.next().unwrap() {
            arrivals.push(frame.arrived);
            if frame.seq == 1 {
                std::thread::sleep(Duration::from_millis(60));
            }
        }
        let gaps: Vec<_> = arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[0] >= Duration::from_millis(20) && gaps[1] >= Duration::from_millis(60), "{gaps:?}");
        assert!(gaps[2] >= Duration::from_millis(20), "{gaps:?}");
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let stop = Stop::new();
        let mut source = paced(2, &stop);
        assert!(matches!(source.next(), Ok(Event::Frame(_))));
        stop.stop();
        assert!(matches!(source.next(), Ok(Event::End)));
    }
}
