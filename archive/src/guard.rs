//! Reading damaged files: libraries assert some of what they read. A failed assertion is
//! damage to name, not a reason to end the process.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what reads files that may be damaged. Nothing of it is used after it gave up, so no
/// broken state is seen.
///
/// # Errors
///
/// What it said when it gave up.
pub fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                usual(info);
            }
        }));
    });
    let outer = GUARDED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(outer);
    done.map_err(|said| text_of(&*said))
}

fn text_of(said: &(dyn Any + Send)) -> String {
    let fixed = said.downcast_ref::<&str>().map(|text| (*text).to_owned());
    fixed.or_else(|| said.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".to_owned())
}
