//! The settings as the rest of the program reads them: plain data, already checked.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Every setting, by the table it has in `custody.toml`. What each one means, its limits and
/// its default are in [`super::KEYS`]; an empty text, list or path means "not set".
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where events come from.
    pub kafka: Kafka,
    /// Where records are kept.
    pub archive: Archive,
    /// The search index.
    pub index: Index,
    /// What searches may take.
    pub search: Search,
    /// When a batch is sealed.
    pub batch: Batch,
    /// How files are compacted.
    pub compact: Compact,
    /// How long failures are retried.
    pub retry: Retry,
    /// What gateways are told.
    pub status: Status,
    /// Metrics and health.
    pub http: Http,
    /// The log on standard error.
    pub log: Log,
    /// How an `s3://` archive is reached.
    pub s3: S3,
    /// The directory that people are taken from.
    pub ldap: Ldap,
}

/// `[kafka]`
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Kafka {
    /// `host:port`, comma separated.
    pub brokers: String,
    /// The topics to archive.
    pub topics: Vec<String>,
    /// The consumer group.
    pub group: String,
    /// Bytes fetched ahead of the worker.
    pub queue_bytes_max: u64,
    /// `[kafka.properties]`: handed to librdkafka as they are. May hold passwords.
    pub properties: BTreeMap<String, String>,
}

/// `[archive]`
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Archive {
    /// A local directory or `s3://bucket/prefix`.
    pub path: String,
    /// The class that new records are filed under.
    pub retention_class: String,
    /// Commits between two checkpoints.
    pub checkpoint_every: u64,
}

/// `[index]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// A local directory or `s3://bucket/prefix`; read it through [`Settings::index_path`].
    pub path: String,
    /// Where splits of an index in s3 are kept; empty means the user's cache folder.
    pub cache_path: PathBuf,
    /// Bytes that the cache may hold.
    pub cache_bytes_max: u64,
}

/// `[search]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Threads of one search; 0 is one for each processor.
    pub threads: u64,
    /// Splits that are kept open.
    pub splits_open_max: u64,
    /// Matches that are told apart at once.
    pub matches_held_max: u64,
    /// Bytes of what records name, remembered for facets.
    pub facets_bytes_max: u64,
    /// Bytes of words, remembered for patterns.
    pub words_bytes_max: u64,
    /// Bytes of what was read of the archive to show records.
    pub records_bytes_max: u64,
}

/// `[batch]`: whichever limit is reached first seals the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Bytes of events.
    pub bytes_max: u64,
    /// Time since the first event of the batch was read.
    pub age_max: Duration,
    /// Number of events.
    pub rows_max: u64,
}

/// `[compact]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compact {
    /// Time between two looks in `custody run`; zero turns it off.
    pub every: Duration,
    /// Bytes of the files that become one.
    pub file_bytes_max: u64,
    /// Small files in a row while their day goes on.
    pub small_files_max: u64,
    /// Time until a replaced file is removed.
    pub grace: Duration,
}

/// `[retry]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retry {
    /// Time a failing store is retried before the worker exits.
    pub age_max: Duration,
}

/// `[status]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The topic that gateways read; empty means none.
    pub topic: String,
    /// Time from one message of a partition to the next.
    pub every: Duration,
    /// Age of an event that is not archived, from which on its partition is behind.
    pub age_max: Duration,
}

/// `[http]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// `None` is "off".
    pub listen: Option<SocketAddr>,
}

/// `[log]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// `text` or `json`.
    pub format: String,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
}

/// `[s3]`; credentials are not settings, they come from the usual AWS environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3 {
    /// `http://` or `https://`; empty means AWS itself.
    pub endpoint: String,
    /// Empty means "as the AWS environment says".
    pub region: String,
    /// Whether an `http://` endpoint is accepted.
    pub allow_http: bool,
    /// How long one request may take.
    pub request_age_max: Duration,
}

/// `[ldap]`
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ldap {
    /// `ldap://` or `ldaps://` and a server.
    pub url: String,
    /// Whether an `ldap://` connection turns to TLS before anything is said.
    pub start_tls: bool,
    /// PEM certificates to trust; empty means the system's.
    pub ca_file: PathBuf,
    /// Who asks; empty means anonymous.
    pub bind_dn: String,
    /// The password of that.
    pub bind_password: String,
    /// Where people are.
    pub base: String,
    /// Who of them.
    pub filter: String,
    /// Entries that are asked for at once.
    pub page_entries: u64,
    /// How long an answer may take.
    pub request_age_max: Duration,
    /// The first that an entry has is its name.
    pub name_attributes: Vec<String>,
    /// The department.
    pub department_attribute: String,
    /// All values of all of them are addresses.
    pub address_attributes: Vec<String>,
    /// The first that an entry has is its identity.
    pub id_attributes: Vec<String>,
}

impl Settings {
    /// Where the index is kept: `index.path`, or `_index` inside the archive.
    pub fn index_path(&self) -> String {
        if self.index.path.is_empty() {
            return format!("{}/_index", self.archive.path.trim_end_matches('/'));
        }
        self.index.path.clone()
    }
}

/// By the table of keys, because settings end up in logs and some hold passwords. For the same
/// reason the tables that may hold one have no `Debug` of their own.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = super::KEYS.iter().map(|key| (key.name, key.show(self)));
        f.debug_map().entries(keys).finish()
    }
}
