//! Pieces of work on several threads, their results in one place: [`spread`].

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Sender, bounded};

use crate::files::Stop;

/// A thread died of a defect in camloc; what it said is on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Died;

/// Where a thread hands its results to.
#[derive(Debug)]
pub(crate) struct Results<'a, T> {
    send: Sender<T>,
    stops: [&'a Stop; 2],
}

impl<T> Results<'_, T> {
    /// Hands a result over; `false` where nobody wants it nor another one.
    pub(crate) fn give(&self, result: T) -> bool {
        !self.is_stopped() && self.send.send(result).is_ok()
    }

    /// Whether the work was stopped, or its results are not wanted any more.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stops.iter().any(|stop| stop.is_stopped())
    }
}

/// As many threads as `most` or the machine's processors.
pub(crate) fn count(most: usize) -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(1, most.max(1))
}

/// Does `work` on each of `items`, with `threads` threads that take one after the other, each with a `state` of its own;
/// what they give is handed to `take` on the caller's thread, as it comes, in no particular order.
///
/// Once `stop` is stopped no further item is begun, and `Ok` is returned: what was given before was taken.
///
/// # Errors
/// The first of `take`, which ends the work; or that a thread died.
pub(crate) fn spread<I: Sync, S, T: Send, E: From<Died>>(
    items: &[I],
    threads: usize,
    stop: &Stop,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, &I, &Results<'_, T>) + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let (next, give_up) = (AtomicUsize::new(0), Stop::new());
    let threads = threads.clamp(1, items.len().max(1));
    let (send, receive) = bounded(threads);
    std::thread::scope(|scope| {
        let (next, state, work) = (&next, &state, &work);
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let results = Results { send: send.clone(), stops: [stop, &give_up] };
                scope.spawn(move || {
                    let mut state = state();
                    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if results.is_stopped() {
                            return;
                        }
                        work(&mut state, item, &results);
                    }
                })
            })
            .collect();
        drop(send);
        let taken = receive.iter().try_for_each(&mut take);
        // Threads must not wait for a taker that is gone.
        give_up.stop();
        drop(receive);
        // All are waited for.
        let died = running.into_iter().filter_map(|thread| thread.join().err()).count() > 0;
        taken.and(if died { Err(Died.into()) } else { Ok(()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    enum Failure {
        Died,
        Full,
    }

    impl From<Died> for Failure {
        fn from(_: Died) -> Failure {
            Failure::Died
        }
    }

    fn squares(count: u64, threads: usize, stop: &Stop, most: usize) -> (Vec<u64>, Result<(), Failure>) {
        let items: Vec<u64> = (0..count).collect();
        let mut found = Vec::new();
        let work = |_: &mut (), item: &u64, results: &Results<'_, u64>| {
            results.give(item * item);
        };
        let ended = spread(
            &items,
            threads,
            stop,
            || (),
            work,
            |square| {
                found.push(square);
                if found.len() < most { Ok(()) } else { Err(Failure::Full) }
            },
        );
        found.sort_unstable();
        (found, ended)
    }

    #[test]
    fn every_item_is_done_once() {
        for threads in [0, 1, 3, 200] {
            let (found, ended) = squares(100, threads, &Stop::new(), usize::MAX);
            assert_eq!(ended, Ok(()));
            assert_eq!(found, (0..100).map(|item| item * item).collect::<Vec<u64>>());
        }
        assert_eq!(squares(0, 2, &Stop::new(), 1), (vec![], Ok(())));
    }

    #[test]
    fn a_stop_and_a_taker_that_fails_end_the_work() {
        let stop = Stop::new();
        stop.stop();
        assert_eq!(squares(100, 2, &stop, usize::MAX), (vec![], Ok(())));
        let (found, ended) = squares(u64::from(u16::MAX), 2, &Stop::new(), 3);
        assert_eq!((found.len(), ended), (3, Err(Failure::Full)));
    }

    #[test]
    fn a_thread_that_dies_is_said_and_the_others_go_on() {
        let items: Vec<u32> = (0..50).collect();
        let mut found = 0;
        let work = |_: &mut (), item: &u32, results: &Results<'_, u32>| {
            assert_ne!(*item, 7, "on purpose");
            results.give(*item);
        };
        let ended: Result<(), Failure> = spread(
            &items,
            2,
            &Stop::new(),
            || (),
            work,
            |_| {
                found += 1;
                Ok(())
            },
        );
        assert_eq!((found, ended), (49, Err(Failure::Died)));
    }

    #[test]
    fn each_thread_has_a_state_of_its_own() {
        let items = [(); 64];
        let mut most = 0;
        let work = |done: &mut u32, (): &(), results: &Results<'_, u32>| {
            *done += 1;
            results.give(*done);
        };
        let ended: Result<(), Failure> = spread(
            &items,
            1,
            &Stop::new(),
            || 0,
            work,
            |done| {
                most = most.max(done);
                Ok(())
            },
        );
        assert_eq!((most, ended), (64, Ok(())));
    }
}
