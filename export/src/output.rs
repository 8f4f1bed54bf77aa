//! The files of a production while they are written, volume by volume.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use custody_schemas::Hash;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::format::{Body, Format, Line, NewFile, Rendered};
use crate::hashing::{hash_on, hashed};
use crate::journal::{Grown, Step, Taken, VolumeState};
use crate::receipt::FileEntry;
use crate::request::VolumeLimit;
use crate::settings::READ_BYTES;

/// A file that is being written.
pub(crate) struct OutFile {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Sha256,
    bytes: u64,
}

impl OutFile {
    /// A new file at a path of the production, with `/`, in the folder where it is made.
    pub(crate) fn create(root: &Path, name: &str) -> Result<Self, Error> {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, e))?;
        }
        let file = File::create_new(&path).map_err(|e| Error::io("write", &path, e))?;
        Ok(OutFile::opened(name, path, file))
    }

    /// One that was opened by who knows why.
    pub(crate) fn opened(name: &str, path: PathBuf, file: File) -> Self {
        OutFile { name: name.to_owned(), path, file: BufWriter::new(file), hasher: Sha256::new(), bytes: 0 }
    }

    /// Goes on with what a run that was killed left of it, which is known to begin so; what it wrote
    /// behind that goes.
    pub(crate) fn resume(root: &Path, begun: &FileEntry) -> Result<Self, Error> {
        let path = root.join(&begun.name);
        let mut hasher = Sha256::new();
        let file = OpenOptions::new().read(true).write(true).open(&path).and_then(|mut file| {
            file.set_len(begun.bytes)?;
            hash_on(&mut file, &mut hasher)?;
            Ok(file)
        });
        let file = file.map_err(|e| Error::io("write", &path, e))?;
        Ok(OutFile { hasher, bytes: begun.bytes, ..OutFile::opened(&begun.name, path, file) })
    }

    /// What there is of it so far, all of which is with the system then.
    pub(crate) fn so_far(&mut self) -> Result<FileEntry, Error> {
        self.file.flush().map_err(|e| self.failed(e))?;
        let sha256 = Hash(self.hasher.clone().finalize().into());
        Ok(FileEntry { name: self.name.clone(), bytes: self.bytes, sha256 })
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.write_all(bytes).map_err(|e| self.failed(e))
    }

    pub(crate) fn failed(&self, error: io::Error) -> Error {
        Error::io("write", &self.path, error)
    }

    /// All of it is written; it becomes durable with the folder. What the receipt says of it.
    pub(crate) fn finish(mut self) -> Result<FileEntry, Error> {
        self.file.flush().map_err(|e| self.failed(e))?;
        let sha256 = Hash(self.hasher.finalize().into());
        Ok(FileEntry { name: self.name, bytes: self.bytes, sha256 })
    }
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What a document became, with the hashes of its files: threads make them.
pub(crate) struct Hashed {
    pub(crate) rendered: Rendered,
    /// Of each file that is not copied.
    hashes: Vec<Option<Hash>>,
}

impl Hashed {
    pub(crate) fn of(rendered: Rendered) -> Self {
        let hash = |file: &NewFile| match &file.body {
            Body::Bytes(bytes) => Some(Hash::of(bytes)),
            Body::Copy(_) => None,
        };
        let hashes = rendered.files.iter().map(hash).collect();
        Hashed { rendered, hashes }
    }
}

/// Writes what documents become, in their order.
pub(crate) struct Volumes<'f> {
    root: PathBuf,
    format: &'f dyn Format,
    /// Every volume has a folder of its own, `VOL001`; otherwise there is one, and it is the production.
    limit: Option<VolumeLimit>,
    number: u32,
    documents: u64,
    bytes: u64,
    growing: BTreeMap<String, OutFile>,
    entries: Vec<FileEntry>,
    /// Entries that the journal has.
    noted: usize,
    /// Folders that are there.
    folders: BTreeSet<PathBuf>,
}

impl<'f> Volumes<'f> {
    pub(crate) fn begin(
        root: &Path,
        format: &'f dyn Format,
        limit: Option<VolumeLimit>,
    ) -> Result<Self, Error> {
        let mut volumes = Volumes {
            root: root.to_owned(),
            format,
            limit,
            number: 1,
            documents: 0,
            bytes: 0,
            growing: BTreeMap::new(),
            entries: Vec::new(),
            noted: 0,
            folders: BTreeSet::new(),
        };
        volumes.lines(format.begin()?)?;
        Ok(volumes)
    }

    /// Goes on where a run that was killed was.
    pub(crate) fn resume(
        root: &Path,
        format: &'f dyn Format,
        limit: Option<VolumeLimit>,
        taken: &Taken,
    ) -> Result<Self, Error> {
        let VolumeState { number, documents, bytes } = taken.step.volume;
        let in_volume =
            taken.step.growing.iter().filter_map(|grown| Some((grown.in_volume.clone()?, &grown.begun)));
        let growing = in_volume.map(|(path, begun)| Ok((path, OutFile::resume(root, begun)?)));
        Ok(Volumes {
            root: root.to_owned(),
            format,
            limit,
            number,
            documents,
            bytes,
            growing: growing.collect::<Result<_, Error>>()?,
            noted: taken.files.len(),
            entries: taken.files.clone(),
            folders: BTreeSet::new(),
        })
    }

    /// What the journal says of it: files that were finished since it was asked last, and what there is
    /// of the others.
    pub(crate) fn note(&mut self, step: &mut Step) -> Result<(), Error> {
        step.volume = VolumeState { number: self.number, documents: self.documents, bytes: self.bytes };
        for (path, file) in &mut self.growing {
            step.growing.push(Grown { in_volume: Some(path.clone()), begun: file.so_far()? });
        }
        step.files = self.entries[self.noted..].to_vec();
        self.noted = self.entries.len();
        Ok(())
    }

    /// The path in the production of a path in the volume.
    fn name(&self, path: &str) -> String {
        match self.limit {
            Some(_) => format!("VOL{:03}/{path}", self.number),
            None => path.to_owned(),
        }
    }

    /// Writes a document into the volume, or into the next if this one would be too large with it.
    pub(crate) fn write(&mut self, document: Hashed) -> Result<(), Error> {
        let Hashed { rendered, hashes } = document;
        let bytes = size(&rendered)?;
        if self.documents > 0 && self.is_full(bytes) {
            self.end()?;
            self.number += 1;
            (self.documents, self.bytes) = (0, 0);
            self.lines(self.format.begin()?)?;
        }
        self.documents += 1;
        self.bytes += bytes;
        for (file, hash) in rendered.files.into_iter().zip(hashes) {
            let name = self.name(&file.path);
            let entry = match (file.body, hash) {
                (Body::Bytes(bytes), hash) => {
                    let sha256 = hash.unwrap_or_else(|| Hash::of(&bytes));
                    self.whole(name, &bytes, sha256)?
                }
                (Body::Copy(from), _) => {
                    let mut out = OutFile::create(&self.root, &name)?;
                    copy(&from, &mut out)?;
                    out.finish()?
                }
            };
            self.entries.push(entry);
        }
        self.lines(rendered.lines)
    }

    /// Writes a file at once.
    fn whole(&mut self, name: String, bytes: &[u8], sha256: Hash) -> Result<FileEntry, Error> {
        let path = self.root.join(&name);
        if let Some(folder) = path.parent().filter(|folder| !self.folders.contains(*folder)) {
            fs::create_dir_all(folder).map_err(|e| Error::io("make", folder, e))?;
            self.folders.insert(folder.to_owned());
        }
        let written = File::create_new(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(|e| Error::io("write", &path, e))?;
        Ok(FileEntry { name, bytes: bytes.len() as u64, sha256 })
    }

    fn is_full(&self, more: u64) -> bool {
        let Some(limit) = &self.limit else { return false };
        limit.documents.is_some_and(|max| self.documents >= max)
            || limit.bytes.is_some_and(|max| self.bytes.saturating_add(more) > max)
    }

    fn lines(&mut self, lines: Vec<Line>) -> Result<(), Error> {
        for line in lines {
            let name = self.name(line.path);
            match self.growing.get_mut(line.path) {
                Some(file) => file.put(&line.bytes)?,
                None => {
                    let mut file = OutFile::create(&self.root, &name)?;
                    file.put(&line.bytes)?;
                    self.growing.insert(line.path.to_owned(), file);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.lines(self.format.end()?)?;
        for file in std::mem::take(&mut self.growing).into_values() {
            self.entries.push(file.finish()?);
        }
        Ok(())
    }

    /// Every file, in order of their names.
    pub(crate) fn finish(mut self) -> Result<Vec<FileEntry>, Error> {
        self.end()?;
        self.entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(self.entries)
    }
}

/// What the receipt says of a file that somebody else wrote into `root`.
pub(crate) fn listed(root: &Path, path: &Path) -> Result<FileEntry, Error> {
    let failed = |e| Error::io("read", path, e);
    let (sha256, bytes) = File::open(path).and_then(hashed).map_err(failed)?;
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    Ok(FileEntry { name, bytes, sha256 })
}

fn size(rendered: &Rendered) -> Result<u64, Error> {
    let mut bytes: u64 = rendered.lines.iter().map(|line| line.bytes.len() as u64).sum();
    for file in &rendered.files {
        bytes += match &file.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Copy(from) => fs::metadata(from).map_err(|e| Error::io("read", from, e))?.len(),
        };
    }
    Ok(bytes)
}

fn copy(from: &Path, into: &mut OutFile) -> Result<(), Error> {
    let failed = |e| Error::io("read", from, e);
    let mut reader = BufReader::new(File::open(from).map_err(failed)?);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = reader.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return Ok(());
        }
        into.put(&buffer[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    struct Letters;

    impl Format for Letters {
        fn begin(&self) -> Result<Vec<Line>, Error> {
            Ok(vec![Line { path: "list", bytes: b"<".to_vec() }])
        }
        fn render(&self, _: &Document<'_>) -> Result<Rendered, Error> {
            Ok(Rendered::default())
        }
        fn end(&self) -> Result<Vec<Line>, Error> {
            Ok(vec![Line { path: "list", bytes: b">".to_vec() }])
        }
    }

    fn check(limit: Option<VolumeLimit>, expected: &str) {
        let dir = tempfile::tempdir().unwrap();
        let mut volumes = Volumes::begin(dir.path(), &Letters, limit).unwrap();
        for letter in ["a", "b", "c", "d"] {
            let bytes = letter.repeat(if letter == "b" { 9 } else { 1 }).into_bytes();
            let file = NewFile { path: format!("files/{letter}"), body: Body::Bytes(bytes) };
            let line = Line { path: "list", bytes: letter.into() };
            let rendered = Rendered { files: vec![file], lines: vec![line], exceptions: Vec::new() };
            volumes.write(Hashed::of(rendered)).unwrap();
        }
        let found: Vec<_> = volumes
            .finish()
            .unwrap()
            .into_iter()
            .map(|entry| {
                let bytes = fs::read(dir.path().join(&entry.name)).unwrap();
                assert_eq!((entry.bytes, entry.sha256), (bytes.len() as u64, Hash::of(&bytes)));
                format!("{}={}", entry.name, String::from_utf8(bytes).unwrap())
            })
            .collect();
        assert_eq!(found.join(" "), expected);
    }

    #[test]
    fn a_volume_is_full_by_documents_or_by_bytes() {
        check(None, "files/a=a files/b=bbbbbbbbb files/c=c files/d=d list=<abcd>");
        check(
            Some(VolumeLimit { documents: Some(3), bytes: None }),
            "VOL001/files/a=a VOL001/files/b=bbbbbbbbb VOL001/files/c=c VOL001/list=<abc> VOL002/files/d=d VOL002/list=<d>",
        );
        check(
            Some(VolumeLimit { documents: None, bytes: Some(8) }),
            "VOL001/files/a=a VOL001/list=<a> VOL002/files/b=bbbbbbbbb VOL002/list=<b> VOL003/files/c=c VOL003/files/d=d VOL003/list=<cd>",
        );
    }
}
