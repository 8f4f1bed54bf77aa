//! The files, several at once: whoever is free takes the next, and one collects what was found.
//! What is told does not depend on who was first.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::files::{self, StoredFile};
use super::since::{Moved, Since};
use super::{Journal, PROBLEMS_MAX, Problem, Progress, Proven, Report, VerifySettings};
use crate::error::Error;
use crate::read::Archive;
use crate::threads::at_once;

/// Files that wait to be verified.
pub(super) struct Work<'a> {
    archive: &'a Archive,
    journal: Option<&'a Journal>,
    queue: Mutex<Queue>,
    since: Mutex<Since>,
    budget: Budget,
    threads: NonZeroUsize,
}

struct Queue {
    files: VecDeque<(usize, StoredFile)>,
    /// The place of the next file that is put in.
    next: usize,
}

/// One file, done.
struct Done {
    /// Its place among all.
    at: usize,
    bytes: u64,
    found: Report,
    /// An earlier run has done it.
    before: bool,
    /// The bytes of a file that was put into the queue instead of it.
    more: Option<u64>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        archive: &'a Archive,
        journal: Option<&'a Journal>,
        files: Vec<StoredFile>,
        newest: u64,
        settings: &VerifySettings,
    ) -> Self {
        let next = files.len();
        Work {
            archive,
            journal,
            queue: Mutex::new(Queue { files: files.into_iter().enumerate().collect(), next }),
            since: Mutex::new(Since::after(newest)),
            budget: Budget::new(settings.bytes_max),
            threads: settings.threads,
        }
    }

    /// Verifies all of them.
    pub(super) fn all(
        &self,
        mut at: Progress,
        report: &mut Report,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), Error> {
        {
            let queue = lock(&self.queue);
            at.files_all = queue.files.len() as u64;
            at.bytes_all = queue.files.iter().map(|(_, file)| file.bytes).sum();
        }
        let mut collected = Collected { at, report, problems: Problems::default() };
        at_once(self.threads, || self.next(), |done| collected.take(done, progress))?;
        collected.finish();
        Ok(())
    }

    /// Verifies one file; `None` when there is none left. Whoever puts one in comes back for it, so
    /// nobody has to wait for more.
    fn next(&self) -> Option<Result<Done, Error>> {
        let (at, file) = lock(&self.queue).files.pop_front()?;
        Some(self.file(at, &file))
    }

    fn file(&self, at: usize, file: &StoredFile) -> Result<Done, Error> {
        let mut done = Done { at, bytes: file.bytes, found: Report::default(), before: false, more: None };
        let key = format!("{} {}", file.path, file.sha256);
        if let Some(Proven { bytes, records, gaps }) = self.journal.and_then(|journal| journal.known(&key)) {
            done.before = true;
            done.found = Report { bytes, records, gaps, ..done.found };
            return Ok(done);
        }
        let _held = self.budget.take(file.bytes);
        let Some(bytes) = self.archive.store.get(&file.path)? else {
            done.more = self.missing(file, &mut done.found)?;
            return Ok(done);
        };
        files::check(self.archive, file, bytes, &mut done.found)?;
        if let Some(journal) = self.journal.filter(|_| done.found.problems.is_empty()) {
            let Report { bytes, records, gaps, .. } = done.found;
            journal.add(&key, Proven { bytes, records, gaps })?;
        }
        Ok(done)
    }

    /// The batches of a file that is not there may have been moved since the log was read: they are
    /// proven where they are.
    fn missing(&self, file: &StoredFile, found: &mut Report) -> Result<Option<u64>, Error> {
        match lock(&self.since).moved(self.archive, file, found)? {
            Moved::To(next) => {
                let (bytes, mut queue) = (next.bytes, lock(&self.queue));
                let at = queue.next;
                queue.next += 1;
                queue.files.push_back((at, *next));
                return Ok(Some(bytes));
            }
            Moved::Known => {}
            Moved::Nowhere => found.problem(&file.path, format!("{} is missing", file.path)),
        }
        Ok(None)
    }
}

/// A thread that panicked ends the whole: what it held is as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Collected<'a> {
    at: Progress,
    report: &'a mut Report,
    problems: Problems,
}

impl Collected<'_> {
    fn take(&mut self, done: Done, progress: &mut dyn FnMut(Progress)) {
        let (report, at) = (&mut *self.report, &mut self.at);
        report.files += 1;
        report.files_before += u64::from(done.before);
        report.bytes += done.found.bytes;
        report.records += done.found.records;
        report.gaps += done.found.gaps;
        self.problems.add(done.at, done.found.problems, done.found.more);
        at.files += 1;
        at.bytes += done.bytes;
        at.files_all += u64::from(done.more.is_some());
        at.bytes_all += done.more.unwrap_or(0);
        progress(*at);
    }

    fn finish(self) {
        self.report.more += self.problems.more;
        for problem in self.problems.by_file.into_values().flatten() {
            self.report.problem(problem.place, problem.what);
        }
    }
}

/// The problems of the first files that have any, in the order of the files.
#[derive(Default)]
struct Problems {
    by_file: BTreeMap<usize, Vec<Problem>>,
    held: usize,
    more: u64,
}

impl Problems {
    fn add(&mut self, at: usize, problems: Vec<Problem>, more: u64) {
        self.more += more;
        if problems.is_empty() {
            return;
        }
        self.held += problems.len();
        self.by_file.insert(at, problems);
        // The last are not told anyway.
        while let Some(last) =
            self.by_file.last_entry().filter(|last| self.held - last.get().len() >= PROBLEMS_MAX)
        {
            let last = last.remove().len();
            self.held -= last;
            self.more += last as u64;
        }
    }
}

/// Bytes that may be held at once.
struct Budget {
    all: u64,
    left: Mutex<u64>,
    given_back: Condvar,
}

struct Held<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    fn new(all: u64) -> Self {
        Budget { all, left: Mutex::new(all), given_back: Condvar::new() }
    }

    /// Waits until there is room; for more than all, until nobody holds any.
    fn take(&self, bytes: u64) -> Held<'_> {
        let bytes = bytes.min(self.all);
        let has_no_room = |left: &mut u64| *left < bytes;
        let left = self.given_back.wait_while(lock(&self.left), has_no_room);
        *left.unwrap_or_else(PoisonError::into_inner) -= bytes;
        Held { budget: self, bytes }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *lock(&self.budget.left) += self.bytes;
        self.budget.given_back.notify_all();
    }
}
