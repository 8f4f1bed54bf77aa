//! A clock that moves when it is told to.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use custody_archive::Clock;

/// See the module. Whoever sleeps moves it.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
    elapsed_ms: AtomicU64,
}

impl Default for ManualClock {
    fn default() -> Self {
        ManualClock { now_ms: AtomicI64::new(1_369_818_902_123), elapsed_ms: AtomicU64::new(0) }
    }
}

impl ManualClock {
    /// Time goes by.
    pub fn advance(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.elapsed_ms.fetch_add(ms, Ordering::AcqRel);
        self.jump_ms(ms.cast_signed());
    }

    /// The wall clock is set, forwards or back.
    pub fn jump_ms(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::AcqRel);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Acquire)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::Acquire))
    }

    fn sleep(&self, time: Duration) {
        self.advance(time);
    }
}
