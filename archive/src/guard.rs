//! Decoding damaged files: the Parquet reader asserts some of what it reads.
//! A failed assertion is damage to name, not a reason to end the process.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs a decoder; `None` when it gave up on what it read. Nothing of it is
/// used afterwards, so no broken state is seen.
pub(crate) fn guarded<T>(decode: impl FnOnce() -> T) -> Option<T> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                usual(info);
            }
        }));
    });
    GUARDED.set(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode)).ok();
    GUARDED.set(false);
    decoded
}
