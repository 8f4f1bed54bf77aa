//! The commit of a compaction, written without the kernel: that would read the whole state of the
//! table to remove files from it, and tell the time by itself.

use std::fmt::Write as _;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::Compactor;
use super::rewrite::Rewritten;
use crate::actions;
use crate::error::{Error, Kind};
use crate::log::{self, What};
use crate::table::ENGINE;

/// How often one commit is tried before the caller is told: a worker beside may win the race for
/// a version many times.
const ATTEMPTS_MAX: u32 = 50;
/// Pause after an attempt whose outcome is unknown.
const PAUSE: Duration = Duration::from_millis(50);

impl Compactor {
    /// Commits, and says with which version; `None` when others have replaced one of the files.
    pub(super) fn commit(
        &mut self,
        made: &Rewritten,
        bytes: &[u64],
        now_ms: i64,
    ) -> Result<Option<u64>, Error> {
        let text = commit_text(made, bytes, now_ms)?;
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            self.catch_up(now_ms)?;
            if let Some(file) = self.known.find(&made.file.path) {
                return Ok(Some(file.added));
            }
            let live = self.known.live_paths();
            if made.compacted.replaces.iter().any(|path| !live.contains(path.as_str())) {
                return Ok(None);
            }
            let version = self.table.version() + 1;
            match self.store.put_new(&log::commit_path(version), text.clone()) {
                Ok(true) => return Ok(Some(version)),
                // Taken; on a store that sends again, by ourselves perhaps: the log says.
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(file = made.file.path, %error, "commit outcome unknown; reading the log");
                    last = Some(error);
                    thread::sleep(PAUSE);
                }
            }
        }
        let message = format!("{} could not be committed in {ATTEMPTS_MAX} attempts", made.file.path);
        Err(match last {
            Some(error) => Error::with(Kind::Retry, message, error),
            None => Error::new(Kind::Retry, message),
        })
    }
}

/// The commit file, see <https://github.com/delta-io/delta/blob/master/PROTOCOL.md#actions>.
fn commit_text(made: &Rewritten, bytes: &[u64], now_ms: i64) -> Result<Vec<u8>, Error> {
    let record =
        What::Compaction { file: made.file.clone(), compacted_ms: now_ms, compacted: made.compacted.clone() };
    let info = json!({
        "timestamp": now_ms,
        "operation": "OPTIMIZE",
        "operationParameters": {},
        "engineInfo": ENGINE,
        "isBlindAppend": false,
        "custody": record.into_text()?,
    });
    let mut text = String::new();
    let actions = actions::compaction(&made.file, &made.compacted, now_ms, bytes);
    for (name, action) in [("commitInfo".to_owned(), info)].into_iter().chain(actions) {
        let line: Value = json!({ name: action });
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{line}");
    }
    Ok(text.into_bytes())
}
