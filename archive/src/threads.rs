//! The same work by several threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::{iter, thread};

/// Asks `next` for results until it has none, on up to so many threads, of which the caller's is one,
/// and hands each to `take`, on the caller's. On one thread everything happens in order.
///
/// # Errors
///
/// The first that `next` gives; what others have begun is done, and nothing is begun after it.
pub fn at_once<T: Send, E: Send>(
    threads: NonZeroUsize,
    next: impl Fn() -> Option<Result<T, E>> + Sync,
    mut take: impl FnMut(T),
) -> Result<(), E> {
    if threads == NonZeroUsize::MIN {
        return iter::from_fn(next).try_for_each(|done| done.map(&mut take));
    }
    let failed = AtomicBool::new(false);
    let one = || {
        let done = if failed.load(Ordering::Relaxed) { None } else { next() }?;
        failed.fetch_or(done.is_err(), Ordering::Relaxed);
        Some(done)
    };
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 1..threads.get() {
            let (sender, one) = (sender.clone(), &one);
            // The receiver goes only after all senders, or with the first error.
            scope.spawn(move || iter::from_fn(one).all(|done| sender.send(done).is_ok()));
        }
        drop(sender);
        let mut take = |done: Result<T, E>| done.map(&mut take);
        for done in iter::from_fn(one) {
            take(done)?;
            receiver.try_iter().try_for_each(&mut take)?;
        }
        receiver.into_iter().try_for_each(take)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn everything_is_taken_once_and_the_first_error_ends_it() {
        for threads in [1, 2, 7] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let run = |bad: u64| {
                let (number, mut taken) = (AtomicU64::new(0), Vec::new());
                let next = || match number.fetch_add(1, Ordering::Relaxed) {
                    100.. => None,
                    n if n == bad => Some(Err(n)),
                    n => Some(Ok(n)),
                };
                let done = at_once(threads, next, |n| taken.push(n));
                taken.sort_unstable();
                (done, taken)
            };
            assert_eq!(run(1_000), (Ok(()), (0..100).collect()));
            let (done, taken) = run(10);
            assert_eq!(done, Err(10));
            assert!(!taken.contains(&10) && taken.len() < 100, "{taken:?}");
        }
    }
}
