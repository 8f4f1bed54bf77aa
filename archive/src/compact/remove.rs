//! Removing files that nothing refers to any more.
//!
//! A replaced file goes when its grace is over and the file that took its place is whole. A file
//! that no commit names goes only when none can name it any more, whatever time has passed:
//!
//! - a batch's, when one of its spans begins below where its partition stands: the fence refuses it
//! - a compacted one, when a file that it would replace is not live any more

use std::collections::BTreeSet;

use custody_schemas::Hash;

use super::{Compactor, Done};
use crate::error::{Error, Kind};
use crate::groups::Input;
use crate::read::{Footer, footer};
use crate::store::Object;

/// Strays are rare, and looking for them lists every data file.
const LOOK_EVERY_MS: i64 = 3_600_000;

/// What a file is that no commit names.
enum Stray {
    /// It may be committed yet.
    Open,
    /// Nothing can commit it any more.
    Dead,
    /// Nobody can say what it is.
    Unreadable,
}

impl Compactor {
    /// Everything in the folders of retention classes.
    pub(super) fn data_files(&self) -> Result<Vec<Object>, Error> {
        let mut found = Vec::new();
        for folder in self.store.folders()?.iter().filter(|folder| folder.starts_with("retention_class=")) {
            found.extend(self.store.objects_in(folder)?);
        }
        Ok(found)
    }

    pub(super) fn remove_replaced(&mut self, now_ms: i64, done: &mut Done) -> Result<(), Error> {
        let (mut at, mut kept) = (0, None);
        while let Some(replaced) = self.known.replaced.get(at) {
            if !self.is_over(replaced.replaced_ms, now_ms) {
                at += 1;
                continue;
            }
            match self.must_be_whole(&replaced.by, replaced.by_sha256) {
                Err(error) if error.kind == Kind::Corrupt => {
                    (at, kept) = (at + 1, Some(error));
                    continue;
                }
                whole => whole?,
            }
            // By the rules of the log none is live again, but a live file is never removed.
            let live = self.known.live_paths();
            if let Some(path) = replaced.paths.iter().find(|path| live.contains(path.as_str())) {
                return Err(Error::corrupt(format!("{path} was replaced and is live; verify the archive")));
            }
            for path in &replaced.paths {
                self.store.remove(path)?;
            }
            done.removed.extend(self.known.replaced.remove(at).paths);
        }
        kept.map_or(Ok(()), Err)
    }

    fn is_over(&self, since_ms: i64, now_ms: i64) -> bool {
        since_ms.saturating_add(self.settings.grace_ms) <= now_ms
    }

    /// What took the place of files must be whole before they go. When it was replaced in turn, it was
    /// whole then, and it is still there: its own grace is later.
    fn must_be_whole(&self, path: &str, sha256: Hash) -> Result<(), Error> {
        if self.known.find(path).is_none() {
            return Ok(());
        }
        if self.store.get(path)?.is_some_and(|bytes| Hash::of(&bytes) == sha256) {
            return Ok(());
        }
        let message =
            format!("{path} is damaged or missing: the files that it replaced are kept; verify the archive");
        Err(Error::corrupt(message))
    }

    pub(super) fn remove_strays(&mut self, now_ms: i64, done: &mut Done) -> Result<(), Error> {
        // A clock that was set back is no reason to wait.
        if self.looked_ms.is_some_and(|looked| (0..LOOK_EVERY_MS).contains(&now_ms.saturating_sub(looked))) {
            return Ok(());
        }
        for object in self.strays()? {
            if is_temporary(&object.path) {
                if self.is_over(object.modified_ms, now_ms) {
                    self.store.remove_listed(&object.path)?;
                    done.strays.push(object.path);
                }
                continue;
            }
            match self.stray(&object.path)? {
                Stray::Open => {}
                Stray::Dead => {
                    self.store.remove(&object.path)?;
                    done.strays.push(object.path);
                }
                Stray::Unreadable => done.unreadable.push(object.path),
            }
        }
        self.looked_ms = Some(now_ms);
        Ok(())
    }

    /// Files that no commit names, or that were replaced and removed and are there again.
    fn strays(&self) -> Result<Vec<Object>, Error> {
        let mut named: BTreeSet<&str> = self.known.live_paths();
        named.extend(self.known.replaced.iter().flat_map(|replaced| &replaced.paths).map(String::as_str));
        let mut strays = self.data_files()?;
        strays.retain(|object| {
            !named.contains(object.path.as_str())
                && (is_temporary(&object.path) || object.path.ends_with(".parquet"))
        });
        Ok(strays)
    }

    /// It is gone by what the log said before the file was found: a commit that comes later and would
    /// name a dead file meets the fence, or finds that what it replaces is not live.
    fn stray(&self, path: &str) -> Result<Stray, Error> {
        // Taken away by somebody else.
        let Some(bytes) = self.store.get(path)? else { return Ok(Stray::Open) };
        // A footer is believed only in a file that is what its name says.
        if !path.ends_with(&format!("-{}.parquet", Hash::of(&bytes))) {
            return Ok(Stray::Unreadable);
        }
        let dead = match footer(path, &Input::Memory(bytes)) {
            Ok(Footer::Batch(manifest)) => {
                let passed = |part: &custody_schemas::manifest::Part| {
                    part.span.from < self.known.next(&part.partition.app_id())
                };
                manifest.parts.iter().any(passed)
            }
            Ok(Footer::Compacted(compacted)) => {
                compacted.replaces.iter().any(|path| self.known.find(path).is_none())
            }
            Err(error) if error.kind == Kind::Corrupt => return Ok(Stray::Unreadable),
            Err(error) => return Err(error),
        };
        Ok(if dead { Stray::Dead } else { Stray::Open })
    }

    /// What [`step`](Compactor::step) would remove when nothing is left to compact.
    pub(super) fn removable(&self, now_ms: i64) -> Result<Vec<String>, Error> {
        let due = self.known.replaced.iter();
        let due = due.filter(|replaced| self.is_over(replaced.replaced_ms, now_ms));
        let mut removable: Vec<String> = due.flat_map(|replaced| replaced.paths.clone()).collect();
        for object in self.strays()? {
            let old = self.is_over(object.modified_ms, now_ms);
            let dead = if is_temporary(&object.path) {
                old
            } else {
                matches!(self.stray(&object.path)?, Stray::Dead)
            };
            if dead {
                removable.push(object.path);
            }
        }
        Ok(removable)
    }
}

/// A file that was being written when its writer ended.
fn is_temporary(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with(".custody-") && name.ends_with("#tmp")
}
