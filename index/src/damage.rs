//! Reading damaged splits: Tantivy asserts much of what it reads. A failed
//! assertion is damage to name, not a reason to end the process.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::error::{Error, Kind};
use crate::manifest::Folder;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what reads the splits in `folder`. Nothing of it is used after it gave
/// up, so no broken state is seen.
///
/// # Errors
///
/// Its own, and `Corrupt` when it gave up on what it read.
pub(crate) fn guarded<T>(folder: &Folder, read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
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
    let done = panic::catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(false);
    done.unwrap_or_else(|said| {
        let root = folder.root().display();
        let message = format!("the index in {root} is damaged; without that folder it is built anew");
        Err(Error::with(Kind::Corrupt, message, text_of(&*said)))
    })
}

fn text_of(said: &(dyn Any + Send)) -> String {
    let fixed = said.downcast_ref::<&str>().map(|text| (*text).to_owned());
    fixed.or_else(|| said.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".to_owned())
}
