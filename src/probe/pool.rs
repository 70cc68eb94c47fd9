//! Work on several threads whose results come back in order.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::error::ProbeError;

/// As much as the main thread has on the systems we know: profiles are evaluated on these threads too.
const STACK_BYTES: usize = 8 << 20;

/// The results of `work(0)` to `work(count - 1)` in that order, made by at most `jobs` threads. A thread that cannot be
/// started is done without; a panic in `work` goes on in the caller.
pub(super) fn ordered<T: Send>(jobs: NonZeroUsize, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = jobs.get().min(count);
    if threads <= 1 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::with_capacity(count / threads);
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return done;
            }
            done.push((at, work(at)));
        }
    };
    let mut all = thread::scope(|scope| {
        let start = |_| thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, take).ok();
        let others: Vec<_> = (1..threads).filter_map(start).collect();
        let mut all = take();
        for other in others {
            match other.join() {
                Ok(mut part) => all.append(&mut part),
                Err(payload) => std::panic::resume_unwind(payload),
            }
        }
        all
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

/// One piece of work that may fail; pieces do not depend on each other.
pub(super) type Task<'t> = Box<dyn Fn() -> Result<(), ProbeError> + Sync + 't>;

/// Does all of `tasks`, as [`ordered`] does; the first error in their order is the one to tell.
pub(super) fn all(jobs: NonZeroUsize, tasks: &[Task<'_>]) -> Result<(), ProbeError> {
    let done = ordered(jobs, tasks.len(), |at| tasks.get(at).map_or(Ok(()), |task| task()));
    done.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever is first done, the results stand where they belong.
    #[test]
    fn results_come_in_order() {
        for jobs in [1, 2, 7, 100] {
            let squares = ordered(NonZeroUsize::new(jobs).unwrap(), 50, |at| {
                if at % 3 == 0 {
                    thread::yield_now();
                }
                at * at
            });
            assert_eq!(squares, (0..50).map(|at| at * at).collect::<Vec<_>>());
        }
        assert!(ordered(NonZeroUsize::MIN, 0, |at| at).is_empty());
    }
}
