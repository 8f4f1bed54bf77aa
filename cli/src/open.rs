//! From settings to opened things, in one place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_archive::{
    Archive, CompactSettings, Compactor, Location, ReadSettings, S3Settings, Store, Writer, WriterSettings,
};
use custody_index::IndexStore;
use custody_index::people::PeopleStore;
use custody_ingest::kafka::KafkaSettings;
use custody_ingest::{StatusSettings, WorkerSettings};

use crate::failure::Failure;
use crate::settings::{Loaded, Settings};

/// Names every setting that a command needs and that is not set.
pub fn require(loaded: &Loaded, names: &[&str]) -> Result<(), Failure> {
    let missing = loaded.require(names);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

fn s3(settings: &Settings) -> S3Settings {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    S3Settings {
        endpoint: given(&settings.s3.endpoint),
        region: given(&settings.s3.region),
        allow_http: settings.s3.allow_http,
        request_age_max: settings.s3.request_age_max,
    }
}

/// The archive, for reading.
pub fn archive(loaded: &Loaded) -> Result<Archive, Failure> {
    require(loaded, &["archive.path"])?;
    let settings = &loaded.settings;
    let archive = Archive::open(&Location::parse(&settings.archive.path)?, &s3(settings))?;
    Ok(archive.remembering(&reading(settings)))
}

/// The archive, for verifying: it may be damaged.
pub fn archive_to_verify(loaded: &Loaded) -> Result<Archive, Failure> {
    require(loaded, &["archive.path"])?;
    let settings = &loaded.settings;
    Ok(Archive::open_to_verify(&Location::parse(&settings.archive.path)?, &s3(settings))?)
}

/// The archive, for writing; made if it is not there. `recent_bytes_max`: of rows that are held
/// for an index in this process.
pub fn writer(loaded: &Loaded, recent_bytes_max: usize) -> Result<Writer, Failure> {
    let settings = &loaded.settings;
    let location = Location::parse(&settings.archive.path)?;
    let writer = WriterSettings { checkpoint_every: settings.archive.checkpoint_every, recent_bytes_max };
    Ok(Writer::open(&location, &s3(settings), &writer)?)
}

/// The archive, for compacting: beside a writer, and without anything that it shares with it.
pub fn compactor(loaded: &Loaded) -> Result<Compactor, Failure> {
    require(loaded, &["archive.path"])?;
    let settings = &loaded.settings;
    let location = Location::parse(&settings.archive.path)?;
    let compact = CompactSettings {
        file_bytes_max: settings.compact.file_bytes_max,
        small_files_max: usize::try_from(settings.compact.small_files_max).unwrap_or(usize::MAX),
        grace_ms: i64::try_from(settings.compact.grace.as_millis()).unwrap_or(i64::MAX),
    };
    Ok(Compactor::open(Arc::new(Store::open(&location, &s3(settings))?), compact)?)
}

/// The registers of people, beside the archive's table; there need be no archive yet.
pub fn people(loaded: &Loaded) -> Result<PeopleStore, Failure> {
    require(loaded, &["archive.path"])?;
    let settings = &loaded.settings;
    let location = Location::parse(&settings.archive.path)?;
    Ok(PeopleStore::of(Arc::new(Store::open(&location, &s3(settings))?)))
}

/// The index.
pub fn index(loaded: &Loaded) -> Result<IndexStore, Failure> {
    let settings = &loaded.settings;
    let location = Location::parse(&settings.index_path())?;
    let store = IndexStore::of(Arc::new(Store::open(&location, &s3(settings))?));
    if matches!(location, Location::Folder(_)) {
        return Ok(store);
    }
    let folder = cache_folder(&settings.index.cache_path)?;
    Ok(store.with_cache(&folder, settings.index.cache_bytes_max)?)
}

/// Bounds of searches. The index is built as it always is.
pub fn searching(settings: &Settings) -> custody_index::Settings {
    let (search, defaults) = (&settings.search, custody_index::Settings::default());
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    custody_index::Settings {
        search_threads: if search.threads > 0 { count(search.threads) } else { defaults.search_threads },
        splits_open_max: count(search.splits_open_max),
        matches_held_max: count(search.matches_held_max),
        facets_bytes_max: count(search.facets_bytes_max),
        words_bytes_max: count(search.words_bytes_max),
        ..defaults
    }
}

/// What is remembered of the archive's files.
fn reading(settings: &Settings) -> ReadSettings {
    let bytes = usize::try_from(settings.search.records_bytes_max).unwrap_or(usize::MAX);
    // Ends grow with the archive, but by little; pages are what many answers need.
    ReadSettings { ends_bytes_max: bytes / 3, pages_bytes_max: bytes - bytes / 3 }
}

fn cache_folder(set: &Path) -> Result<PathBuf, Failure> {
    if !set.as_os_str().is_empty() {
        return Ok(set.to_owned());
    }
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = given("XDG_CACHE_HOME").or_else(|| Some(given("HOME")?.join(".cache")));
    cache.map(|cache| cache.join("custody")).ok_or_else(|| {
        Failure::usage(
            "index.cache_path: is not set, and there is no home folder for it; an index in s3 needs it",
        )
    })
}

/// How to reach Kafka.
pub fn kafka(settings: &Settings) -> KafkaSettings {
    KafkaSettings {
        brokers: settings.kafka.brokers.clone(),
        topics: settings.kafka.topics.clone(),
        group: settings.kafka.group.clone(),
        queue_bytes_max: settings.kafka.queue_bytes_max,
        properties: settings.kafka.properties.clone(),
    }
}

/// Bounds of the worker.
pub fn worker(settings: &Settings) -> WorkerSettings {
    WorkerSettings {
        batch_bytes_max: settings.batch.bytes_max,
        batch_rows_max: settings.batch.rows_max,
        batch_age_max: settings.batch.age_max,
        retry_age_max: settings.retry.age_max,
        retention_class: settings.archive.retention_class.clone(),
    }
}

/// What the watch over the worker tells.
pub fn status(settings: &Settings) -> StatusSettings {
    let topic = &settings.status.topic;
    StatusSettings {
        topic: (!topic.is_empty()).then(|| topic.clone()),
        every: settings.status.every,
        age_max: settings.status.age_max,
        worker: uuid::Uuid::now_v7().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Inputs;

    #[track_caller]
    fn check(flags: &[(&str, &str)], expected: &custody_index::Settings) {
        let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let loaded = Settings::load(Inputs { flags, ..Inputs::default() }).unwrap();
        assert_eq!(searching(&loaded.settings), *expected);
    }

    #[test]
    fn searches_are_bounded_as_the_library_bounds_them_or_as_is_said() {
        let defaults = custody_index::Settings::default();
        check(&[], &defaults);
        let flags = [
            ("search.threads", "3"),
            ("search.splits_open_max", "4"),
            ("search.matches_held_max", "50000"),
            ("search.facets_bytes_max", "6MiB"),
            ("search.words_bytes_max", "0"),
        ];
        let said = custody_index::Settings {
            search_threads: 3,
            splits_open_max: 4,
            matches_held_max: 50_000,
            facets_bytes_max: 6 << 20,
            words_bytes_max: 0,
            ..defaults
        };
        check(&flags, &said);
    }

    #[test]
    fn as_much_is_remembered_of_files_as_the_library_does_or_as_is_said() {
        let of = |flags: &[(&str, &str)]| {
            let flags = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            reading(&Settings::load(Inputs { flags, ..Inputs::default() }).unwrap().settings)
        };
        assert_eq!(of(&[]), ReadSettings::default());
        let none = ReadSettings { ends_bytes_max: 0, pages_bytes_max: 0 };
        assert_eq!(of(&[("search.records_bytes_max", "0")]), none);
    }
}
