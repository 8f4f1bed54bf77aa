//! Keeping the index at the archive's newest version.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use custody_archive::{Archive, FileRef};
use custody_schemas::Hash;
use tantivy::directory::FileSlice;

use crate::damage::guarded;
use crate::error::{Error, Kind};
use crate::manifest::{Folder, MANIFEST_VERSION, Manifest, SplitMeta};
use crate::merge::{Policy, plan};
use crate::places::Places;
use crate::settings::Settings;
use crate::source::{Added, Source};
use crate::split::{Built, SPLIT_VERSION, build, join, read_footer, relocate};
use crate::store::IndexStore;

/// Losing the next manifest's number to other indexers this often in a row is
/// no coincidence.
const LOSSES_MAX: u32 = 16;

/// Builds and merges splits. Two may work on one index at once: one of them
/// gets each manifest's number, the other reads again and goes on.
pub struct Indexer<S: Source = Archive> {
    folder: Folder,
    source: S,
    settings: Settings,
    /// The index as far as this indexer knows.
    base: Manifest,
    /// Why it is being built from nothing, until it is complete again.
    rebuilding: Option<String>,
}

/// What [`Indexer::catch_up`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// The archive version through which the index is complete now; `None` for
    /// an archive without commits.
    pub version: Option<u64>,
    /// Splits built from new commits.
    pub splits: u64,
    /// Splits made of several smaller ones.
    pub merged: u64,
    /// Splits that say anew where their batches are: the archive moved them.
    pub relocated: u64,
    /// Records in the new splits, merged ones not counted.
    pub docs: u64,
    /// How long it took.
    pub ms: u64,
    /// Why the index was built from nothing: it was missing or damaged. Whoever
    /// called should say so.
    pub rebuilt: Option<String>,
}

/// How far the index has come.
enum Step {
    /// Every commit is indexed and no merge is due.
    UpToDate,
    /// Splits were merged: there may be new commits since, or more to merge.
    Merged,
    /// The number of the next manifest was taken.
    Lost,
}

impl<S: Source> Indexer<S> {
    /// Opens an index; there may be none yet. One that is
    /// damaged is built anew by the next [`catch_up`](Self::catch_up); until
    /// then searchers keep what they can read of it.
    ///
    /// # Errors
    ///
    /// `Newer` when a later Custody wrote it: that one is left alone.
    pub fn open(store: &IndexStore, source: S, settings: Settings) -> Result<Self, Error> {
        let folder = Folder::new(store);
        let mut indexer = Indexer { folder, source, settings, base: from_nothing(0), rebuilding: None };
        indexer.reread()?;
        Ok(indexer)
    }

    /// Why the index has to be built from nothing, if it has.
    pub fn rebuilding(&self) -> Option<&str> {
        self.rebuilding.as_deref()
    }

    /// Indexes every commit that there is, then merges small splits; what is committed meanwhile is
    /// indexed before the next merge.
    pub fn catch_up(&mut self) -> Result<CaughtUp, Error> {
        let started = Instant::now();
        let mut done = CaughtUp::default();
        let mut losses = 0;
        loop {
            match self.advance_or_lose(&mut done)? {
                Step::UpToDate => break,
                Step::Merged => losses = 0,
                Step::Lost => {
                    losses += 1;
                    if losses == LOSSES_MAX {
                        return Err(Error::new(Kind::Retry, "other indexers keep writing this index"));
                    }
                    self.reread()?;
                }
            }
        }
        done.version = self.base.through_version;
        done.rebuilt = self.rebuilding.take();
        done.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(done)
    }

    /// What another indexer merged away is not damaged: it is another index now.
    fn advance_or_lose(&mut self, done: &mut CaughtUp) -> Result<Step, Error> {
        match self.advance(done) {
            Err(e) if e.kind == Kind::Corrupt && self.is_behind()? => Ok(Step::Lost),
            advanced => advanced,
        }
    }

    fn advance(&mut self, done: &mut CaughtUp) -> Result<Step, Error> {
        let commits = self.new_commits()?;
        if commits.is_empty() && self.rebuilding.is_some() && self.base.splits.is_empty() {
            // Nothing to index, but what is damaged must not stay the newest.
            let next = self.following();
            return Ok(if self.publish(next)? { Step::UpToDate } else { Step::Lost });
        }
        let places = Places::after(&commits);
        let commits = places.applied(commits)?;
        let mut relocated = match self.relocated(&places, done) {
            // Not even what a split was built from can be read.
            Err(error) if error.kind == Kind::Corrupt && !self.is_behind()? => {
                self.start_over(error.to_string())?;
                return self.advance(done);
            }
            relocated => Some(relocated?),
        };
        let mut ready = Vec::new();
        for group in groups(&commits, &self.settings) {
            if !group.files.is_empty() {
                let meta = self.write(|| build(&self.source, &group.files))?;
                done.splits += 1;
                done.docs += meta.docs;
                ready.push(meta);
            }
            let Some(through) = group.through else { continue };
            let mut next = self.following();
            next.through_version = Some(through);
            next.splits = relocated.take().unwrap_or(next.splits);
            next.splits.append(&mut ready);
            if !self.publish(next)? {
                return Ok(Step::Lost);
            }
        }
        self.merge(done)
    }

    /// The splits of the index, those that cover batches which were moved with footers that say where
    /// they are now.
    fn relocated(&self, places: &Places, done: &mut CaughtUp) -> Result<Vec<SplitMeta>, Error> {
        let mut splits = self.base.splits.clone();
        for meta in splits.iter_mut().filter(|meta| places.touch(meta)) {
            let (shown, data) = (self.folder.split(meta), self.folder.map(meta)?);
            let bytes = data.read_bytes();
            let bytes = bytes.map_err(|e| Error::with(Kind::Retry, format!("cannot read {shown}"), e))?;
            let built = if Hash::of(&bytes).to_string() == meta.id {
                relocate(&shown, &data, places)?
            } else {
                tracing::warn!(split = shown, "a split is damaged: it is built anew from the archive");
                let mut files = files_of(&[(shown, data)])?;
                for (_, file) in &mut files {
                    *file = places.of(file)?.unwrap_or(file).clone();
                }
                Some(build(&self.source, &files)?)
            };
            if let Some(built) = built {
                *meta = self.write(|| Ok(built))?;
                done.relocated += 1;
            }
        }
        Ok(splits)
    }

    /// The first merge that is due. One at a time: a record waits for one of them at most until it is
    /// found.
    fn merge(&mut self, done: &mut CaughtUp) -> Result<Step, Error> {
        let Some(merge) = plan(&self.base.splits, &Policy::from(&self.settings)).into_iter().next() else {
            return Ok(Step::UpToDate);
        };
        let splits = self.base.splits[merge.splits.clone()]
            .iter()
            .map(|meta| Ok((self.folder.split(meta), self.folder.map(meta)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let files = match files_of(&splits) {
            // Not even what it was built from can be read.
            Err(error) if error.kind == Kind::Corrupt && !self.is_behind()? => {
                self.start_over(error.to_string())?;
                return self.advance(done);
            }
            files => files?,
        };
        let joined = || self.joined(merge.splits.clone(), &splits);
        let merged = self.write(|| joined().map_or_else(|| build(&self.source, &files), Ok))?;
        let mut next = self.following();
        next.splits.splice(merge.splits, [merged]);
        done.merged += 1;
        Ok(if self.publish(next)? { Step::Merged } else { Step::Lost })
    }

    /// The splits as one. `None` where the archive has to be read instead: they do not have the
    /// bytes that they are named after, or cannot be read.
    fn joined(&self, range: Range<usize>, splits: &[(String, FileSlice)]) -> Option<Built> {
        for (meta, (shown, data)) in self.base.splits[range].iter().zip(splits) {
            let whole = data.read_bytes().ok().filter(|bytes| Hash::of(bytes).to_string() == meta.id);
            if whole.is_none() {
                tracing::warn!(split = shown, "a split is damaged: it is built anew from the archive");
                return None;
            }
        }
        match guarded(&self.folder, || join(splits)) {
            Ok(joined) => Some(joined),
            Err(error) => {
                tracing::warn!(%error, "splits cannot be joined: they are built anew from the archive");
                None
            }
        }
    }

    fn write(&self, make: impl FnOnce() -> Result<Built, Error>) -> Result<SplitMeta, Error> {
        let started = Instant::now();
        let Built { meta, bytes } = make()?;
        self.folder.put_split(&meta, bytes)?;
        let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            split = meta.id,
            docs = meta.docs,
            files = meta.files,
            bytes = meta.bytes,
            ms,
            "split built"
        );
        Ok(meta)
    }

    fn following(&self) -> Manifest {
        Manifest { number: self.base.number + 1, ..self.base.clone() }
    }

    /// A crash before this line leaves splits that nobody names; after it they
    /// are the index.
    fn publish(&mut self, next: Manifest) -> Result<bool, Error> {
        if !self.folder.publish(&next)? {
            return Ok(false);
        }
        self.base = next;
        self.folder.clean(self.settings.manifests_kept)?;
        Ok(true)
    }

    /// The commits that are not indexed yet, of the archive as another indexer
    /// may have left them.
    fn new_commits(&mut self) -> Result<Vec<Added>, Error> {
        if self.is_behind()? {
            self.reread()?;
        }
        let commits = self.source.commits_after(self.base.through_version)?;
        let Some(through) = self.base.through_version.filter(|_| commits.is_empty()) else {
            return Ok(commits);
        };
        // Nothing new, or not the archive that was indexed.
        let newest = self.source.newest()?;
        if through > newest {
            self.start_over(format!(
                "the index is complete through version {through}, the archive is at {newest}"
            ))?;
        }
        self.source.commits_after(self.base.through_version)
    }

    fn is_behind(&self) -> Result<bool, Error> {
        Ok(self.folder.numbers()?.last().is_some_and(|newest| *newest > self.base.number))
    }

    fn reread(&mut self) -> Result<(), Error> {
        match self.folder.newest() {
            Ok(Some(manifest)) => {
                let damage = damage(&self.folder, &manifest)?;
                self.base = manifest;
                match damage {
                    None => Ok(()),
                    // It was taken away while it was looked at.
                    Some(_) if self.is_behind()? => self.reread(),
                    Some(damage) => self.start_over(damage),
                }
            }
            Ok(None) => self.start_over(format!("there is no index in {}", self.folder.shown())),
            Err(e) if e.kind == Kind::Corrupt => self.start_over(e.to_string()),
            Err(e) => Err(e),
        }
    }

    /// What is there stays until the first manifest of the new index: its number
    /// is the next one, and from then on answers say how far it has come.
    fn start_over(&mut self, reason: String) -> Result<(), Error> {
        tracing::debug!(reason, "the index is built from nothing");
        let number = self.folder.numbers()?.last().copied().unwrap_or(0);
        self.base = from_nothing(number);
        self.rebuilding = Some(reason);
        Ok(())
    }
}

fn from_nothing(number: u64) -> Manifest {
    Manifest {
        version: MANIFEST_VERSION,
        split_version: SPLIT_VERSION,
        number,
        through_version: None,
        splits: Vec::new(),
    }
}

/// What is wrong with an index, as far as it shows without reading all of it.
pub(crate) fn damage(folder: &Folder, manifest: &Manifest) -> Result<Option<String>, Error> {
    if manifest.split_version != SPLIT_VERSION {
        return Ok(Some(format!(
            "its splits are of version {}, not {SPLIT_VERSION}",
            manifest.split_version
        )));
    }
    for meta in &manifest.splits {
        let shown = folder.split(meta);
        match folder.split_bytes(meta)? {
            Some(bytes) if bytes == meta.bytes => {}
            Some(bytes) => return Ok(Some(format!("{shown} has {bytes} bytes instead of {}", meta.bytes))),
            None => return Ok(Some(format!("{shown} is missing"))),
        }
    }
    Ok(None)
}

/// The files that splits were built from, and the versions that added them.
fn files_of(splits: &[(String, FileSlice)]) -> Result<Vec<(u64, FileRef)>, Error> {
    let mut files = Vec::new();
    for (shown, data) in splits {
        let covered = read_footer(shown, data)?.files.into_iter();
        files.extend(covered.map(|covered| (covered.version, covered.file)));
    }
    Ok(files)
}

/// Files that become one split.
#[derive(Debug, Default, PartialEq)]
struct Group {
    files: Vec<(u64, FileRef)>,
    /// The version through which the index is complete with this split and those
    /// before it; `None` when the rest of a commit is in the next one.
    through: Option<u64>,
}

/// Cuts commits into splits. Pure.
fn groups(commits: &[Added], settings: &Settings) -> Vec<Group> {
    let (mut groups, mut group) = (Vec::new(), Group::default());
    let (mut docs, mut bytes) = (0, 0);
    // A file of many batches counts once.
    let mut paths = BTreeSet::new();
    for commit in commits {
        for file in &commit.files {
            let more = if paths.contains(file.path.as_str()) { 0 } else { file.bytes };
            let full = docs + file.manifest.rows > settings.split_docs_max.min(settings.build_docs_max)
                || bytes + more > settings.split_bytes_max;
            if full && !group.files.is_empty() {
                groups.push(std::mem::take(&mut group));
                (docs, bytes) = (0, 0);
                paths.clear();
            }
            docs += file.manifest.rows;
            bytes += if paths.insert(file.path.as_str()) { file.bytes } else { 0 };
            group.files.push((commit.version, file.clone()));
            group.through = None;
        }
        group.through = Some(commit.version);
    }
    if group != Group::default() {
        groups.push(group);
    }
    groups
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
