//! The table of keys. Loading, checking, printing and the example file are driven by it:
//! a key is added here, and its field in `types.rs`.

use super::kind::{Kind, Range};
use super::units::{GIB, HOUR, KIB, MIB};

/// One setting.
#[derive(Clone, Copy)]
pub struct Key {
    /// Table and name in `custody.toml`, such as `kafka.brokers`.
    pub name: &'static str,
    /// The environment variable.
    pub env: &'static str,
    /// The long flag, with its dashes; repeatable for lists and maps.
    pub flag: &'static str,
    /// What it does and why the default is what it is; one line per sentence or so.
    pub help: &'static str,
    /// What it may hold, and where it goes.
    pub kind: Kind,
    /// As it would be written in the environment; empty for "not set".
    pub default: &'static str,
    /// What the example file shows for a key that is not set by default.
    pub example: &'static str,
    /// Whether it may hold secrets. In a map the names decide which values are hidden,
    /// any other key is hidden whole.
    pub secret: bool,
}

impl Key {
    /// The key of this name.
    pub fn find(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The table it is in and its name there: `kafka.brokers` is `("kafka", "brokers")`.
    pub(super) fn split(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }
}

/// Every key, in the order in which they are printed.
pub static KEYS: &[Key] = &[
    Key {
        name: "kafka.brokers",
        env: "CUSTODY_BROKERS",
        flag: "--brokers",
        help: "The Kafka brokers to ask first, host:port, comma separated.",
        kind: Kind::Text(|s| &mut s.kafka.brokers),
        default: "",
        example: "kafka-1:9092,kafka-2:9092",
        secret: false,
    },
    Key {
        name: "kafka.topics",
        env: "CUSTODY_TOPICS",
        flag: "--topic",
        help: "The topics to archive, each from its first event to its last.",
        kind: Kind::List(|s| &mut s.kafka.topics),
        default: "",
        example: "events",
        secret: false,
    },
    Key {
        name: "kafka.group",
        env: "CUSTODY_GROUP",
        flag: "--group",
        help: "The consumer group that workers share partitions in.\n\
               It does not decide where they resume: the archive does.",
        kind: Kind::Text(|s| &mut s.kafka.group),
        default: "custody",
        example: "",
        secret: false,
    },
    Key {
        name: "kafka.queue_bytes_max",
        env: "CUSTODY_KAFKA_QUEUE_BYTES_MAX",
        flag: "--kafka-queue-bytes-max",
        help: "Events that librdkafka may fetch ahead, in memory beside the batch.\n\
               One full batch by default: while one is committed the next grows from them. What\n\
               librdkafka keeps for each event comes on top, some 400 bytes.",
        kind: Kind::Bytes(
            Range {
                min: MIB,
                max: GIB,
                low: "one event of Kafka's default largest size must fit",
                high: "it is memory that holds only events not read yet",
            },
            |s| &mut s.kafka.queue_bytes_max,
        ),
        default: "16MiB",
        example: "",
        secret: false,
    },
    Key {
        name: "kafka.properties",
        env: "CUSTODY_KAFKA_PROPERTIES",
        flag: "--kafka-property",
        help: "Passed to librdkafka as they are: TLS, SASL, timeouts.\n\
               In the environment \"a=b,c=d\", with \\, for a comma in a value. The environment\n\
               and flags add to this table, name by name. Passwords are best left out of files.",
        kind: Kind::Map(|s| &mut s.kafka.properties),
        default: "",
        example: "security.protocol=SASL_SSL,sasl.mechanism=SCRAM-SHA-512",
        secret: true,
    },
    Key {
        name: "archive.path",
        env: "CUSTODY_ARCHIVE",
        flag: "--archive",
        help: "Where records are kept: a local directory, or s3://bucket/prefix.\n\
               A relative path starts at the directory that custody runs in.",
        kind: Kind::Location(|s| &mut s.archive.path),
        default: "",
        example: "/var/lib/custody/archive",
        secret: false,
    },
    Key {
        name: "archive.retention_class",
        env: "CUSTODY_RETENTION_CLASS",
        flag: "--retention-class",
        help: "The retention class that new records are filed under.\n\
               A word of letters, digits, -, _ and ., since it is part of the files' paths.\n\
               Files never mix classes, so that one class can expire without rewriting another.",
        kind: Kind::Word(|s| &mut s.archive.retention_class),
        default: "default",
        example: "",
        secret: false,
    },
    Key {
        name: "archive.checkpoint_every",
        env: "CUSTODY_CHECKPOINT_EVERY",
        flag: "--checkpoint-every",
        help: "Commits from one checkpoint of the table to the next.\n\
               Opening the archive replays at most this many commits.",
        kind: Kind::Count(
            Range {
                min: 1,
                max: 10_000,
                low: "there is nothing to checkpoint before the first commit",
                high: "opening the archive replays every commit since the last checkpoint",
            },
            |s| &mut s.archive.checkpoint_every,
        ),
        default: "100",
        example: "",
        secret: false,
    },
    Key {
        name: "index.path",
        env: "CUSTODY_INDEX",
        flag: "--index",
        help: "Where the search index is kept: a local directory, or s3://bucket/prefix.\n\
               Not set, it is _index inside the archive. It is derived and can be deleted.",
        kind: Kind::Location(|s| &mut s.index.path),
        default: "",
        example: "/var/lib/custody/index",
        secret: false,
    },
    Key {
        name: "index.cache_path",
        env: "CUSTODY_INDEX_CACHE",
        flag: "--index-cache",
        help: "A local directory for what is fetched of an index in s3; a local index needs none.\n\
               Not set, it is custody in the user's cache folder. It can be deleted at any time.",
        kind: Kind::Path(|s| &mut s.index.cache_path),
        default: "",
        example: "/var/cache/custody",
        secret: false,
    },
    Key {
        name: "index.cache_bytes_max",
        env: "CUSTODY_INDEX_CACHE_BYTES_MAX",
        flag: "--index-cache-bytes-max",
        help: "What the cache may hold; what was used last stays.",
        kind: Kind::Bytes(
            Range {
                min: 64 * MIB,
                max: 1024 * GIB,
                low: "a split of the usual size must fit, or every search fetches it anew",
                high: "it is a cache: the index itself is in s3",
            },
            |s| &mut s.index.cache_bytes_max,
        ),
        default: "8GiB",
        example: "",
        secret: false,
    },
    Key {
        name: "search.threads",
        env: "CUSTODY_SEARCH_THREADS",
        flag: "--search-threads",
        help: "Threads of one search; 0 is one for each processor. Answers do not depend on it.\n\
               Fewer leave processors to the worker, or to others who search at the same time.",
        kind: Kind::Count(
            Range {
                min: 0,
                max: 1_024,
                low: "0 is one for each processor",
                high: "more threads than processors wait for one another",
            },
            |s| &mut s.search.threads,
        ),
        default: "0",
        example: "",
        secret: false,
    },
    Key {
        name: "search.splits_open_max",
        env: "CUSTODY_SEARCH_SPLITS_OPEN_MAX",
        flag: "--search-splits-open-max",
        help: "Pieces of the index that are kept open from one search to the next.\n\
               Each has about half a million records, and takes a mapping and a few megabytes.",
        kind: Kind::Count(
            Range {
                min: 1,
                max: 30_000,
                low: "a search must open what it reads",
                high: "a process may have some 65000 mappings",
            },
            |s| &mut s.search.splits_open_max,
        ),
        default: "256",
        example: "",
        secret: false,
    },
    Key {
        name: "search.matches_held_max",
        env: "CUSTODY_SEARCH_MATCHES_HELD_MAX",
        flag: "--search-matches-held-max",
        help: "Matches that a search compares at once to see which are deliveries of one event.\n\
               Each takes up to 32 bytes of memory. Of more the matches are gone through again for\n\
               each further part, so that totals stay exact.",
        kind: Kind::Count(
            Range {
                min: 10_000,
                max: 1_000_000_000,
                low: "a common word would be gone through hundreds of times",
                high: "they are held in memory",
            },
            |s| &mut s.search.matches_held_max,
        ),
        default: "4000000",
        example: "",
        secret: false,
    },
    Key {
        name: "search.facets_bytes_max",
        env: "CUSTODY_SEARCH_FACETS_BYTES_MAX",
        flag: "--search-facets-bytes-max",
        help: "Memory for who and what records name, 8 to 12 bytes for each record; 0 is none.\n\
               Facets that are asked for again are counted from it. Without room they take longer.",
        kind: Kind::Bytes(Range { min: 0, max: 1024 * GIB, low: "0 is none", high: "it is memory" }, |s| {
            &mut s.search.facets_bytes_max
        }),
        default: "256MiB",
        example: "",
        secret: false,
    },
    Key {
        name: "search.words_bytes_max",
        env: "CUSTODY_SEARCH_WORDS_BYTES_MAX",
        flag: "--search-words-bytes-max",
        help: "Memory for the words of records, about 10 bytes for each record; 0 is none.\n\
               A pattern that begins with a star looks at all words. Without room it takes longer.",
        kind: Kind::Bytes(Range { min: 0, max: 1024 * GIB, low: "0 is none", high: "it is memory" }, |s| {
            &mut s.search.words_bytes_max
        }),
        default: "256MiB",
        example: "",
        secret: false,
    },
    Key {
        name: "search.records_bytes_max",
        env: "CUSTODY_SEARCH_RECORDS_BYTES_MAX",
        flag: "--search-records-bytes-max",
        help: "Memory for what was read of the archive's files to show records; 0 is none.\n\
               A third of it is for where records are, which grows with the archive; the rest for what\n\
               stands near those that were shown. Without room each page of an answer reads and decodes\n\
               that anew.",
        kind: Kind::Bytes(Range { min: 0, max: 1024 * GIB, low: "0 is none", high: "it is memory" }, |s| {
            &mut s.search.records_bytes_max
        }),
        default: "192MiB",
        example: "",
        secret: false,
    },
    Key {
        name: "batch.bytes_max",
        env: "CUSTODY_BATCH_BYTES_MAX",
        flag: "--batch-bytes-max",
        help: "A batch is sealed when its events reach this size.",
        kind: Kind::Bytes(
            Range {
                min: 64 * KIB,
                max: GIB,
                low: "every batch is a file and a commit, which would cost more than its events",
                high: "a batch is held in memory until it is committed",
            },
            |s| &mut s.batch.bytes_max,
        ),
        default: "16MiB",
        example: "",
        secret: false,
    },
    Key {
        name: "batch.age_max",
        env: "CUSTODY_BATCH_AGE_MAX",
        flag: "--batch-age-max",
        help: "A batch is sealed when this long has passed since its first event was read.\n\
               2s leaves 3 seconds to commit and index it, so that an event is searchable\n\
               within 5 s of being published. Longer makes fewer and larger files.",
        kind: Kind::Time(
            Range {
                min: 50,
                max: HOUR,
                low: "every batch is a file and a commit, so this would be more than 20 a second",
                high: "an event is neither archived nor searchable before its batch is sealed",
            },
            |s| &mut s.batch.age_max,
        ),
        default: "2s",
        example: "",
        secret: false,
    },
    Key {
        name: "batch.rows_max",
        env: "CUSTODY_BATCH_ROWS_MAX",
        flag: "--batch-rows-max",
        help: "A batch is sealed when it holds this many events.\n\
               It bounds the cost per event that bytes do not show: hashes, columns, terms.",
        kind: Kind::Count(
            Range {
                min: 1,
                max: 10_000_000,
                low: "a batch without events archives nothing",
                high: "a batch is held in memory until it is committed",
            },
            |s| &mut s.batch.rows_max,
        ),
        default: "200000",
        example: "",
        secret: false,
    },
    Key {
        name: "compact.every",
        env: "CUSTODY_COMPACT_EVERY",
        flag: "--compact-every",
        help: "How often `run` looks whether small files can become large ones; 0s turns it off.\n\
               Archiving never waits for it. `custody compact` does it once.",
        kind: Kind::Time(
            Range {
                min: 0,
                max: 24 * HOUR,
                low: "time does not run backwards",
                high: "a day's files are compacted when it is over",
            },
            |s| &mut s.compact.every,
        ),
        default: "5m",
        example: "",
        secret: false,
    },
    Key {
        name: "compact.file_bytes_max",
        env: "CUSTODY_COMPACT_FILE_BYTES_MAX",
        flag: "--compact-file-bytes-max",
        help: "Bytes of the files that become one. A file with more than half of it stays as it is.\n\
               Compaction takes about three times as much memory.",
        kind: Kind::Bytes(
            Range {
                min: MIB,
                max: 4 * GIB,
                low: "files would stay small",
                high: "it is held in memory while it is made and proven",
            },
            |s| &mut s.compact.file_bytes_max,
        ),
        default: "64MiB",
        example: "",
        secret: false,
    },
    Key {
        name: "compact.small_files_max",
        env: "CUSTODY_COMPACT_SMALL_FILES_MAX",
        flag: "--compact-small-files-max",
        help: "Small files in a row while their day goes on; when it is over they become as few\n\
               as may be. Fewer write each record anew more often.",
        kind: Kind::Count(
            Range {
                min: 8,
                max: 100_000,
                low: "every few batches would be written anew",
                high: "a table of so many files is slow for every reader",
            },
            |s| &mut s.compact.small_files_max,
        ),
        default: "64",
        example: "",
        secret: false,
    },
    Key {
        name: "compact.grace",
        env: "CUSTODY_COMPACT_GRACE",
        flag: "--compact-grace",
        help: "How long a file stays after its batches were moved to another.\n\
               For other engines that read the table, and whoever has read where batches were:\n\
               longer than their longest query. Custody itself finds them again in the log.",
        kind: Kind::Time(
            Range {
                min: 0,
                max: 366 * 24 * HOUR,
                low: "time does not run backwards",
                high: "the files take the space of the archive once more",
            },
            |s| &mut s.compact.grace,
        ),
        default: "24h",
        example: "",
        secret: false,
    },
    Key {
        name: "retry.age_max",
        env: "CUSTODY_RETRY_AGE_MAX",
        flag: "--retry-age-max",
        help: "How long a failing store is retried before the worker exits.\n\
               Exiting loses nothing; it lets a supervisor see the failure and another worker try.",
        kind: Kind::Time(
            Range {
                min: 100,
                max: HOUR,
                low: "one slow answer from a store should not end the worker",
                high: "a worker that cannot archive should be seen to fail, not wait",
            },
            |s| &mut s.retry.age_max,
        ),
        default: "60s",
        example: "",
        secret: false,
    },
    Key {
        name: "status.topic",
        env: "CUSTODY_STATUS_TOPIC",
        flag: "--status-topic",
        help: "The compacted Kafka topic that tells gateways whether what they publish is archived.\n\
               With it they can block traffic that nobody archives: docs/fail-closed.md says how.\n\
               It must exist; custody never creates a topic.",
        kind: Kind::Text(|s| &mut s.status.topic),
        default: "",
        example: "custody.status",
        secret: false,
    },
    Key {
        name: "status.every",
        env: "CUSTODY_STATUS_EVERY",
        flag: "--status-every",
        help: "How often Kafka is asked where the logs end, and each partition's status is written.\n\
               A gateway takes 10 s of silence for a failure: 1s lets nine messages go missing.",
        kind: Kind::Time(
            Range {
                min: 100,
                max: 3_000,
                low: "each time is a request to every broker, and a message for every partition",
                high: "a gateway takes 10 s of silence for a failure, and one late message is none",
            },
            |s| &mut s.status.every,
        ),
        default: "1s",
        example: "",
        secret: false,
    },
    Key {
        name: "status.age_max",
        env: "CUSTODY_STATUS_AGE_MAX",
        flag: "--status-age-max",
        help: "How long an event may be in Kafka without being archived.\n\
               Then its partition is behind, and the worker not ready. 30s is some ten times what\n\
               it takes, so that a slow disk or another worker that starts stops nobody's traffic.",
        kind: Kind::Time(
            Range {
                min: 1_000,
                max: 2 * HOUR,
                low: "an event is archived with its batch, not at once",
                high: "a gateway would let traffic pass for so long that nobody archives",
            },
            |s| &mut s.status.age_max,
        ),
        default: "30s",
        example: "",
        secret: false,
    },
    Key {
        name: "http.listen",
        env: "CUSTODY_HTTP_LISTEN",
        flag: "--http-listen",
        help: "Address of metrics and health, or \"off\".\n\
               Only this machine by default: neither asks who is reading.",
        kind: Kind::Listen(|s| &mut s.http.listen),
        default: "127.0.0.1:9464",
        example: "",
        secret: false,
    },
    Key {
        name: "log.format",
        env: "CUSTODY_LOG_FORMAT",
        flag: "--log-format",
        help: "text for people, json for log collectors.",
        kind: Kind::OneOf(&["text", "json"], |s| &mut s.log.format),
        default: "text",
        example: "",
        secret: false,
    },
    Key {
        name: "log.level",
        env: "CUSTODY_LOG_LEVEL",
        flag: "--log-level",
        help: "The least important lines to write: error, warn, info, debug or trace.",
        kind: Kind::OneOf(&["error", "warn", "info", "debug", "trace"], |s| &mut s.log.level),
        default: "info",
        example: "",
        secret: false,
    },
    Key {
        name: "s3.endpoint",
        env: "CUSTODY_S3_ENDPOINT",
        flag: "--s3-endpoint",
        help: "Where the object store is, when it is not AWS itself.\n\
               Credentials come from the usual AWS environment.",
        kind: Kind::Url(|s| &mut s.s3.endpoint),
        default: "",
        example: "https://minio.example.com:9000",
        secret: false,
    },
    Key {
        name: "s3.region",
        env: "CUSTODY_S3_REGION",
        flag: "--s3-region",
        help: "The region of the bucket; not set, the AWS environment says.",
        kind: Kind::Text(|s| &mut s.s3.region),
        default: "",
        example: "eu-central-1",
        secret: false,
    },
    Key {
        name: "s3.allow_http",
        env: "CUSTODY_S3_ALLOW_HTTP",
        flag: "--s3-allow-http",
        help: "Accept an http:// endpoint. Records would cross the network in the clear.",
        kind: Kind::Bool(|s| &mut s.s3.allow_http),
        default: "false",
        example: "",
        secret: false,
    },
    Key {
        name: "s3.request_age_max",
        env: "CUSTODY_S3_REQUEST_AGE_MAX",
        flag: "--s3-request-age-max",
        help: "How long one request may take, with all bytes of a file.\n\
               Then the store counts as failing, and retry.age_max says how long it is retried.\n\
               A request that was cut short is sent again up to three times within 30s.",
        kind: Kind::Time(
            Range {
                min: 1_000,
                max: 600_000,
                low: "a batch must get there, over whatever network",
                high: "nothing is archived while a store does not answer",
            },
            |s| &mut s.s3.request_age_max,
        ),
        default: "60s",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.url",
        env: "CUSTODY_LDAP_URL",
        flag: "--ldap-url",
        help: "The directory server that `custody people sync-ldap` asks.\n\
               ldaps:// is TLS from the first byte; on ldap:// it begins by ldap.start_tls.",
        kind: Kind::Ldap(|s| &mut s.ldap.url),
        default: "",
        example: "ldaps://dc1.example.com",
        secret: false,
    },
    Key {
        name: "ldap.start_tls",
        env: "CUSTODY_LDAP_START_TLS",
        flag: "--ldap-start-tls",
        help: "Whether an ldap:// connection turns to TLS before anything is said.\n\
               If not, the password and all people cross the network in the clear.",
        kind: Kind::Bool(|s| &mut s.ldap.start_tls),
        default: "true",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.ca_file",
        env: "CUSTODY_LDAP_CA_FILE",
        flag: "--ldap-ca-file",
        help: "PEM certificates that the server's must be signed by; not set, the system's.",
        kind: Kind::Path(|s| &mut s.ldap.ca_file),
        default: "",
        example: "/etc/custody/ldap-ca.pem",
        secret: false,
    },
    Key {
        name: "ldap.bind_dn",
        env: "CUSTODY_LDAP_BIND_DN",
        flag: "--ldap-bind-dn",
        help: "Who asks: a distinguished name, or with Active Directory user@domain.\n\
               Not set, it is anonymous, which most directories do not answer.",
        kind: Kind::Text(|s| &mut s.ldap.bind_dn),
        default: "",
        example: "cn=custody,ou=services,dc=example,dc=com",
        secret: false,
    },
    Key {
        name: "ldap.bind_password",
        env: "CUSTODY_LDAP_BIND_PASSWORD",
        flag: "--ldap-bind-password",
        help: "The password of ldap.bind_dn.\n\
               Best set in the environment: files are copied, and flags are seen by everybody on the machine.",
        kind: Kind::Text(|s| &mut s.ldap.bind_password),
        default: "",
        example: "correct horse",
        secret: true,
    },
    Key {
        name: "ldap.base",
        env: "CUSTODY_LDAP_BASE",
        flag: "--ldap-base",
        help: "The entry below which people are.",
        kind: Kind::Text(|s| &mut s.ldap.base),
        default: "",
        example: "ou=people,dc=example,dc=com",
        secret: false,
    },
    Key {
        name: "ldap.filter",
        env: "CUSTODY_LDAP_FILTER",
        flag: "--ldap-filter",
        help: "Which entries below it are people whose conversations may be searched.\n\
               An entry that it does not match any more is closed at the next sync.",
        kind: Kind::Text(|s| &mut s.ldap.filter),
        default: "(&(objectClass=person)(mail=*))",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.page_entries",
        env: "CUSTODY_LDAP_PAGE_ENTRIES",
        flag: "--ldap-page-entries",
        help: "Entries that are asked for at once.",
        kind: Kind::Count(
            Range {
                min: 1,
                max: 1_000,
                low: "a page without entries gets nowhere",
                high: "Active Directory gives no more than 1000 at once, and others take it for an attack",
            },
            |s| &mut s.ldap.page_entries,
        ),
        default: "500",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.request_age_max",
        env: "CUSTODY_LDAP_REQUEST_AGE_MAX",
        flag: "--ldap-request-age-max",
        help: "How long the server may take to connect and for each answer.",
        kind: Kind::Time(
            Range {
                min: 100,
                max: 600_000,
                low: "no server answers so fast every time",
                high: "somebody waits for it",
            },
            |s| &mut s.ldap.request_age_max,
        ),
        default: "30s",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.name_attributes",
        env: "CUSTODY_LDAP_NAME_ATTRIBUTES",
        flag: "--ldap-name-attributes",
        help: "The first of these that an entry has is the name.",
        kind: Kind::List(|s| &mut s.ldap.name_attributes),
        default: "displayName,cn",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.department_attribute",
        env: "CUSTODY_LDAP_DEPARTMENT_ATTRIBUTE",
        flag: "--ldap-department-attribute",
        help: "The department.",
        kind: Kind::Text(|s| &mut s.ldap.department_attribute),
        default: "department",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.address_attributes",
        env: "CUSTODY_LDAP_ADDRESS_ATTRIBUTES",
        flag: "--ldap-address-attributes",
        help: "All values of these are addresses; SMTP: and sip: before them are taken off.\n\
               Those with another scheme, such as X500:, are passed over.",
        kind: Kind::List(|s| &mut s.ldap.address_attributes),
        default: "mail,proxyAddresses,msRTCSIP-PrimaryUserAddress",
        example: "",
        secret: false,
    },
    Key {
        name: "ldap.id_attributes",
        env: "CUSTODY_LDAP_ID_ATTRIBUTES",
        flag: "--ldap-id-attributes",
        help: "The first of these that an entry has is who it is, whatever the name becomes.\n\
               Name only one where it may be given later: a new id is a new person.",
        kind: Kind::List(|s| &mut s.ldap.id_attributes),
        default: "employeeID,objectGUID,entryUUID",
        example: "",
        secret: false,
    },
];

/// librdkafka properties that Custody sets itself, and what to write instead.
/// Accepting them here would either do nothing or break a promise.
pub(super) static OWNED_PROPERTIES: &[(&str, &str)] = &[
    ("bootstrap.servers", "set kafka.brokers"),
    ("metadata.broker.list", "set kafka.brokers"),
    ("group.id", "set kafka.group"),
    ("queued.max.messages.kbytes", "set kafka.queue_bytes_max"),
    ("enable.auto.commit", "the archive decides where a worker resumes"),
    ("enable.auto.offset.store", "the archive decides where a worker resumes"),
    ("auto.offset.reset", "a lost range is recorded as a gap, never skipped"),
    ("isolation.level", "an event that was aborted was never published"),
    ("check.crcs", "a damaged message is read again, never archived"),
    ("partition.assignment.strategy", "a worker takes an assignment whole, never by steps"),
    ("group.protocol", "a worker takes an assignment whole, never by steps"),
];
