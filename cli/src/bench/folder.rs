//! Where the bench works, and what it opens there.

use std::fs;
use std::path::{Path, PathBuf};

use custody_archive::{Archive, Location, S3Settings};
use custody_index::{IndexStore, Indexer, Searcher};

use crate::args::BenchArgs;
use crate::failure::{Done, Failure};
use crate::settings::{Inputs, Loaded, Settings};

/// Says of an error of the system where it was.
pub(super) fn at(path: &Path, what: &str) -> impl Fn(std::io::Error) -> Failure {
    let text = format!("cannot {what} {}", path.display());
    move |error| Failure::failed(format!("{text}: {error}"))
}

/// The settings that `custody run` has by default, and these: nothing of the surroundings changes
/// what is measured.
pub(super) fn settings(flags: &[(&str, &str)]) -> Result<Loaded, Failure> {
    let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let inputs = Inputs { file: Some(PathBuf::from("/dev/null")), env: Default::default(), flags };
    Settings::load(inputs).map_err(|problems| {
        Failure::usage(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// An empty folder; what is made in it goes at the end, unless it is to be kept.
pub(super) struct Folder {
    path: PathBuf,
    /// Gone with this; so is one that is there already.
    temporary: Option<tempfile::TempDir>,
    was_there: bool,
    keep: bool,
}

impl Folder {
    /// A new one, or the one that was asked for.
    pub(super) fn new(args: &BenchArgs) -> Result<Folder, Failure> {
        let Some(path) = &args.dir else {
            let temporary = tempfile::Builder::new().prefix("custody-bench-").tempdir();
            let temporary = temporary.map_err(at(&std::env::temp_dir(), "make a folder in"))?;
            let path = temporary.path().to_owned();
            return Ok(Folder { path, temporary: Some(temporary), was_there: false, keep: args.keep });
        };
        let was_there = path.exists();
        fs::create_dir_all(path).map_err(at(path, "make"))?;
        if fs::read_dir(path).map_err(at(path, "read"))?.next().is_some() {
            return Err(Failure::usage(format!(
                "--dir: {} is not empty: give an empty or a new folder",
                path.display()
            )));
        }
        Ok(Folder { path: path.clone(), temporary: None, was_there, keep: args.keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// An archive and its index in a folder of their own.
    pub(super) fn place(&self, name: &str) -> Result<Place, Failure> {
        let path = self.path.join(name);
        for path in [path.join("archive"), path.join("index")] {
            fs::create_dir_all(&path).map_err(at(&path, "make"))?;
        }
        Ok(Place { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            if let Some(temporary) = self.temporary.take() {
                eprintln!("kept in {}", temporary.keep().display());
            }
            return;
        }
        if self.temporary.is_some() {
            return;
        }
        // It was empty: all that is in it is ours.
        let removed = if self.was_there {
            fs::read_dir(&self.path)
                .and_then(|mut all| all.try_for_each(|entry| fs::remove_dir_all(entry?.path())))
        } else {
            fs::remove_dir_all(&self.path)
        };
        if let Err(error) = removed {
            eprintln!("custody: cannot remove what was made in {}: {error}", self.path.display());
        }
    }
}

/// An archive and its index.
pub(super) struct Place {
    path: PathBuf,
}

impl Place {
    pub(super) fn archive_path(&self) -> PathBuf {
        self.path.join("archive")
    }

    pub(super) fn index_path(&self) -> PathBuf {
        self.path.join("index")
    }

    pub(super) fn location(&self) -> Location {
        Location::Folder(self.archive_path())
    }

    pub(super) fn archive(&self) -> Result<Archive, Failure> {
        Ok(Archive::open(&self.location(), &S3Settings::default())?)
    }

    pub(super) fn index(&self) -> Result<IndexStore, Failure> {
        Ok(IndexStore::folder(&self.index_path())?)
    }

    pub(super) fn indexer(&self) -> Result<Indexer, Failure> {
        Ok(Indexer::open(&self.index()?, self.archive()?, custody_index::Settings::default())?)
    }

    pub(super) fn searcher(&self) -> Result<Searcher, Failure> {
        Ok(Searcher::open(&self.index()?, self.archive()?, custody_index::Settings::default())?)
    }

    /// Removes both, for the room that they take.
    pub(super) fn remove(self) -> Done {
        fs::remove_dir_all(&self.path).map_err(at(&self.path, "remove"))
    }

    /// Removes what is in one of the two.
    pub(super) fn emptied(path: &Path) -> Done {
        fs::remove_dir_all(path).map_err(at(path, "remove"))?;
        fs::create_dir_all(path).map_err(at(path, "make"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(dir: &Path, keep: bool) -> BenchArgs {
        BenchArgs { dir: Some(dir.to_owned()), keep, ..BenchArgs::default() }
    }

    #[test]
    fn leaves_what_it_found() {
        let outer = tempfile::tempdir().unwrap();
        let (new, there) = (outer.path().join("new"), outer.path().join("there"));
        fs::create_dir(&there).unwrap();
        for dir in [&new, &there] {
            let folder = Folder::new(&args(dir, false)).unwrap();
            folder.place("one").unwrap();
            assert!(dir.join("one/archive").is_dir());
            drop(folder);
        }
        assert!(!new.exists() && there.read_dir().unwrap().next().is_none());
        drop(Folder::new(&args(&new, true)).unwrap().place("one").unwrap());
        assert!(new.join("one/index").is_dir());
        let error = Folder::new(&args(&new, false)).err().unwrap();
        assert!(error.to_string().contains("is not empty"), "{error}");
    }

    #[test]
    fn defaults_are_those_of_a_worker() {
        let loaded = settings(&[("log.level", "warn")]).unwrap();
        assert_eq!(loaded.settings.batch.bytes_max, 16 << 20);
    }
}
