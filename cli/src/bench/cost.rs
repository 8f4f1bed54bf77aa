//! What this process has taken so far, and percentiles of what took long.

use std::fs;
use std::ops::Add;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::failure::Failure;

/// CPU time of the process, with all its threads.
pub(super) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// The most memory that the process ever had; `None` where there is no /proc.
pub(super) fn rss_bytes_max() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024)
}

/// Microseconds since 1970 UTC: the worker and who watches it are two processes.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Time that passed, and CPU time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
}

impl Cost {
    /// Does something.
    pub(super) fn of<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<(Cost, T), Failure> {
        let (started, cpu) = (Instant::now(), cpu_time());
        let done = work()?;
        Ok((Cost { wall: started.elapsed(), cpu: cpu_time().saturating_sub(cpu) }, done))
    }

    pub(super) fn best(self, other: Cost) -> Cost {
        Cost { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }
}

impl Add for Cost {
    type Output = Cost;

    fn add(self, other: Cost) -> Cost {
        Cost { wall: self.wall + other.wall, cpu: self.cpu + other.cpu }
    }
}

/// The nearest-rank percentile of what is sorted; `None` of nothing.
pub(super) fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied()
}

/// Does something again and again, for so long and at least twice, and says how many milliseconds
/// it took each time, sorted. The first time opens what the others find open, and does not count.
pub(super) fn warm_ms(
    rounds: u64,
    at_most: Duration,
    mut work: impl FnMut(u64) -> Result<(), Failure>,
) -> Result<Vec<f64>, Failure> {
    work(0)?;
    let (began, mut times) = (Instant::now(), Vec::new());
    for round in 1..=rounds {
        let started = Instant::now();
        work(round)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        if began.elapsed() > at_most && times.len() > 1 {
            break;
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let sorted: Vec<f64> = (1..=200).map(f64::from).collect();
        let found = [0, 50, 99, 100].map(|percent| percentile(&sorted, percent));
        assert_eq!(found, [Some(1.0), Some(100.0), Some(198.0), Some(200.0)]);
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn the_first_round_does_not_count() {
        let mut rounds = Vec::new();
        let times = warm_ms(3, Duration::MAX, |round| {
            rounds.push(round);
            Ok(())
        });
        assert_eq!((times.unwrap().len(), rounds), (3, vec![0, 1, 2, 3]));
    }
}
