//! The archive and the index that are searched: simulated events, on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use custody_archive::{Archive, BatchBuilder, Encoded, Location, S3Settings, Writer, WriterSettings};
use custody_cli::sim::{SimSettings, Simulator, Wording};
use custody_index::{CaughtUp, IndexStore, Indexer, Manifest, Searcher, Settings};
use custody_schemas::{Incoming, Partition};
use jiff::Timestamp;

use super::Done;

const USERS: usize = 1_000;
const SEED: u64 = 1;
/// Records of a commit.
const COMMIT: usize = 50_000;

/// What is simulated: people who use as many words as people do.
pub(crate) fn simulated() -> SimSettings {
    SimSettings { wording: Wording::Vocabulary { seed: SEED }, ..SimSettings::new(USERS, SEED) }
}

/// An archive with its index.
pub(crate) struct Kept {
    dir: PathBuf,
}

impl Kept {
    pub(crate) fn new(dir: &Path) -> Done<Kept> {
        fs::create_dir_all(dir.join("archive"))?;
        Ok(Kept { dir: dir.to_owned() })
    }

    pub(crate) fn archive(&self) -> Done<Archive> {
        Ok(Archive::open(&self.location(), &S3Settings::default())?)
    }

    pub(crate) fn indexer(&self) -> Done<Indexer> {
        Ok(Indexer::open(&self.index()?, self.archive()?, Settings::default())?)
    }

    pub(crate) fn searcher(&self) -> Done<Searcher> {
        Ok(Searcher::open(&self.index()?, self.archive()?, Settings::default())?)
    }

    pub(crate) fn appender(&self, settings: SimSettings, partition: i32) -> Done<Appender> {
        Appender::new(self.writer()?, settings, partition)
    }

    fn writer(&self) -> Done<Writer> {
        Ok(Writer::open(&self.location(), &S3Settings::default(), &WriterSettings::default())?)
    }

    /// Events that are archived.
    pub(crate) fn archived(&self) -> Done<u64> {
        next_offset(&mut self.writer()?, &partition(0))
    }

    /// Archives and indexes until there are so many events, and says what it did.
    pub(crate) fn grow(&self, events: u64) -> Done {
        let had = self.archived()?;
        if had > events {
            let dir = self.dir.display();
            return Err(format!("{dir} holds {had} events: ask for as many or more, or empty it").into());
        }
        if had == events {
            println!("{events} events are there already");
            self.indexer()?.catch_up()?;
            return Ok(());
        }
        let mut appender = self.appender(simulated(), 0)?;
        let started = Instant::now();
        appender.skip();
        while appender.offset < events {
            appender.commit(COMMIT.min(usize::try_from(events - appender.offset)?))?;
        }
        let archived_s = started.elapsed().as_secs_f64();
        let CaughtUp { splits, merged, ms, .. } = self.indexer()?.catch_up()?;
        println!(
            "{} events after {had}: made in {:.0} s, archived in {:.0} s; indexed in {:.0} s \
             ({splits} splits, {merged} merges)",
            events - had,
            appender.made_s,
            archived_s - appender.made_s,
            ms as f64 / 1e3,
        );
        Ok(())
    }

    /// Bytes of the archive, of the index, and of what the index keeps for pages of earlier searches.
    pub(crate) fn bytes(&self) -> Done<[u64; 3]> {
        let sum = |files: Vec<PathBuf>| -> Done<u64> {
            files.iter().map(|file| Ok(fs::metadata(file)?.len())).sum::<Done<u64>>()
        };
        let newest = files(&self.dir.join("index/manifest"))?.into_iter().max().ok_or("there is no index")?;
        let manifest: Manifest = serde_json::from_slice(&fs::read(newest)?)?;
        let index = manifest.splits.iter().map(|split| split.bytes).sum();
        let all = sum(files(&self.dir.join("index"))?)?;
        Ok([sum(files(&self.dir.join("archive"))?)?, index, all - index])
    }

    /// The same in another folder, which may grow without changing this one: no file of an archive
    /// or an index is ever written again.
    pub(crate) fn linked(&self, to: &Path) -> Done<Kept> {
        for file in self.files()? {
            let link = to.join(file.strip_prefix(&self.dir)?);
            link.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::hard_link(&file, link)?;
        }
        Kept::new(to)
    }

    /// All files of both.
    pub(crate) fn files(&self) -> Done<Vec<PathBuf>> {
        Ok([files(&self.dir.join("archive"))?, files(&self.dir.join("index"))?].concat())
    }

    fn location(&self) -> Location {
        Location::Folder(self.dir.join("archive"))
    }

    fn index(&self) -> Done<IndexStore> {
        Ok(IndexStore::folder(&self.dir.join("index"))?)
    }
}

fn files(folder: &Path) -> Done<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

fn partition(number: i32) -> Partition {
    Partition { topic: "federation.events".to_owned(), generation: 1, partition: number }
}

fn next_offset(writer: &mut Writer, partition: &Partition) -> Done<u64> {
    Ok(u64::try_from(writer.next_offset(partition)?.unwrap_or(0))?)
}

/// Archives simulated events, one commit after another.
pub(crate) struct Appender {
    writer: Writer,
    partition: Partition,
    events: Simulator,
    pub(crate) offset: u64,
    /// Seconds that the events took to make, written as JSON.
    made_s: f64,
}

impl Appender {
    fn new(mut writer: Writer, settings: SimSettings, number: i32) -> Done<Appender> {
        let partition = partition(number);
        let offset = next_offset(&mut writer, &partition)?;
        Ok(Appender { writer, partition, events: Simulator::new(settings), offset, made_s: 0.0 })
    }

    /// Passes over what is archived.
    fn skip(&mut self) {
        for _ in 0..self.offset {
            self.events.next();
        }
    }

    /// Archives so many events.
    pub(crate) fn commit(&mut self, events: usize) -> Done {
        let mut batch = BatchBuilder::new(format!(
            "00000000-0000-7{:03}-8000-{:012}",
            self.partition.partition, self.offset
        ));
        let started = Instant::now();
        let made: Vec<_> = self.events.by_ref().take(events).collect();
        let payloads = made.iter().map(|event| serde_json::to_vec(&event.event));
        let payloads = payloads.collect::<Result<Vec<_>, _>>()?;
        self.made_s += started.elapsed().as_secs_f64();
        let mut archived_ms = 0;
        for (event, payload) in made.iter().zip(&payloads) {
            let time = event.event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
            archived_ms = time.map_or(archived_ms, Timestamp::as_millisecond);
            let incoming = Incoming {
                key: Some(event.key.as_bytes()),
                headers: &[],
                payload: Some(payload),
                broker_time_ms: Some(archived_ms),
            };
            let offset = i64::try_from(self.offset)?;
            batch.push(&self.partition, offset, offset, &incoming)?;
            self.offset += 1;
        }
        self.writer.archive(&Encoded::new(batch.seal("default", archived_ms)?)?)?;
        Ok(())
    }
}
