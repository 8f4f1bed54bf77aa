//! Work of several threads on the parts of a whole, taken in their order.

use std::collections::BTreeMap;
use std::iter;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use crate::error::Error;

/// Takes parts from `next`, one after another; works on them in any order; hands what they became to
/// `take` in their order, in this thread. What is taken does not depend on the number of threads.
///
/// Each part comes with its size. A part waits before it is worked on until those that were not taken
/// yet have, with it, no more than `size_max` together, or are fewer than the threads: that bounds what is
/// held.
///
/// # Errors
/// The first one, in the order of the parts. Parts behind it may have been worked on, none is taken.
pub(crate) fn in_order<P: Send, D: Send>(
    threads: NonZeroUsize,
    size_max: u64,
    next: impl FnMut() -> Option<Result<(P, u64), Error>> + Send,
    work: impl Fn(P) -> Result<D, Error> + Sync,
    mut take: impl FnMut(D) -> Result<(), Error>,
) -> Result<(), Error> {
    if threads == NonZeroUsize::MIN {
        return iter::from_fn(next).try_for_each(|part| take(work(part?.0)?));
    }
    let parts_min = threads.get();
    let room = Room { size_max, parts_min, held: Mutex::default(), changed: Condvar::new() };
    let parts = Mutex::new(iter::from_fn(next).fuse().enumerate());
    let one = || {
        // Nobody takes a part while another thread waits for room: so room is given in order.
        let mut parts = locked(&parts);
        let (number, part) = parts.next()?;
        let (part, size) = match part {
            Ok(part) => part,
            Err(error) => return Some((number, 0, Err(error))),
        };
        let has_room = room.enter(size);
        drop(parts);
        has_room.then(|| (number, size, work(part)))
    };
    thread::scope(|scope| {
        // Whatever ends this, nobody waits for room any more.
        let _closing = Closing { room: &room, always: true };
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads.get() {
            let (sender, one, room) = (sender.clone(), &one, &room);
            scope.spawn(move || {
                let _closing = Closing { room, always: false };
                iter::from_fn(one).all(|(number, size, done)| {
                    let is_over = done.is_err();
                    sender.send((number, size, done)).is_ok() && !is_over
                })
            });
        }
        drop(sender);
        let (mut early, mut expected) = (BTreeMap::new(), 0);
        receiver.into_iter().try_for_each(|(number, size, done)| {
            early.insert(number, (size, done));
            while let Some((size, done)) = early.remove(&expected) {
                take(done?)?;
                room.leave(size);
                expected += 1;
            }
            Ok(())
        })
    })
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What may be held at a time.
struct Room {
    size_max: u64,
    /// So many parts have room, however large they are.
    parts_min: usize,
    held: Mutex<Held>,
    changed: Condvar,
}

#[derive(Default)]
struct Held {
    size: u64,
    parts: usize,
    is_closed: bool,
}

impl Room {
    /// Waits until there is room; `false` when there will be none.
    fn enter(&self, size: u64) -> bool {
        let mut held = locked(&self.held);
        let is_full =
            |held: &Held| held.parts >= self.parts_min && held.size.saturating_add(size) > self.size_max;
        while !held.is_closed && is_full(&held) {
            held = self.changed.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        held.size = held.size.saturating_add(size);
        held.parts += 1;
        !held.is_closed
    }

    fn leave(&self, size: u64) {
        let mut held = locked(&self.held);
        held.size = held.size.saturating_sub(size);
        held.parts = held.parts.saturating_sub(1);
        self.changed.notify_one();
    }

    fn close(&self) {
        locked(&self.held).is_closed = true;
        self.changed.notify_all();
    }
}

/// Closes the room when it goes: always, or when its thread panics.
struct Closing<'r> {
    room: &'r Room,
    always: bool,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if self.always || thread::panicking() {
            self.room.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Parts 0 to 99 of these sizes; what was taken, and the largest size that was held.
    fn run(threads: usize, size_max: u64, size: u64, bad: u64) -> (Vec<u64>, String, u64) {
        let (mut number, mut taken) = (0, Vec::new());
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let next = || {
            number += 1;
            (number <= 100).then_some(Ok((number - 1, size)))
        };
        let work = |part: u64| {
            most.fetch_max(held.fetch_add(size, Ordering::SeqCst) + size, Ordering::SeqCst);
            if part.is_multiple_of(7) {
                thread::yield_now();
            }
            if part == bad { Err(Error::invalid(format!("part {part}"))) } else { Ok(part) }
        };
        let take = |part| {
            held.fetch_sub(size, Ordering::SeqCst);
            taken.push(part);
            Ok(())
        };
        let done = in_order(NonZeroUsize::new(threads).unwrap(), size_max, next, work, take);
        let most = most.load(Ordering::SeqCst);
        (taken, done.err().map(|error| error.to_string()).unwrap_or_default(), most)
    }

    #[test]
    fn parts_are_taken_in_order_and_bounded() {
        for threads in [1, 2, 7] {
            for (size_max, size) in [(1_000, 1), (5, 1), (5, 3), (1, 9)] {
                let (taken, error, held) = run(threads, size_max, size, u64::MAX);
                assert_eq!((taken, error.as_str()), ((0..100).collect(), ""), "{threads}");
                let most = size_max.max(size * threads as u64);
                assert!(held <= most, "{threads} threads held {held} of {size_max}");
            }
        }
    }

    #[test]
    fn the_first_error_ends_it_and_what_is_before_it_is_taken() {
        for threads in [1, 2, 7] {
            for bad in [0, 1, 50, 99] {
                let (taken, error, _) = run(threads, 4, 1, bad);
                assert_eq!((taken, error), ((0..bad).collect(), format!("part {bad}")), "{threads}");
            }
        }
    }

    #[test]
    fn an_error_of_the_source_or_the_taker_ends_it() {
        for threads in [1, 2, 7].map(|threads| NonZeroUsize::new(threads).unwrap()) {
            let mut number = 0;
            let next = || {
                number += 1_u64;
                Some(if number == 5 { Err(Error::invalid("source")) } else { Ok((number, 1)) })
            };
            let mut taken = Vec::new();
            let take = |part| {
                taken.push(part);
                Ok(())
            };
            let error = in_order(threads, 2, next, Ok, take).unwrap_err();
            assert_eq!((error.to_string().as_str(), taken), ("source", vec![1, 2, 3, 4]));
            let mut number = 0_u64;
            let next = || {
                number += 1;
                Some(Ok((number, 1)))
            };
            let take = |part: u64| if part == 3 { Err(Error::invalid("full")) } else { Ok(()) };
            let error = in_order(threads, 2, next, Ok::<u64, Error>, take).unwrap_err();
            assert_eq!(error.to_string(), "full");
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_ends_it() {
        let mut number = 0;
        let next = || {
            number += 1;
            Some(Ok((number, 1)))
        };
        let work = |part: u64| if part == 3 { panic!("part 3") } else { Ok(part) };
        let _ = in_order(NonZeroUsize::new(2).unwrap(), 2, next, work, |_| Ok(()));
    }
}
