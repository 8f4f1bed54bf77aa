//! The Delta table. The only file that knows the kernel.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_conversion::TryFromArrow;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::schema::StructType;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::data_layout::DataLayout;
use delta_kernel::transaction::{CommitResult, Transaction, UpdateTableOperation};
use delta_kernel::{EngineData, KernelError, Snapshot, SnapshotRef};
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};

use crate::columns::{PARTITION_COLUMNS, table_schema};
use crate::error::{Error, Kind};
use crate::store::Store;

pub(crate) const ENGINE: &str = concat!("custody/", env!("CARGO_PKG_VERSION"));
/// The table property that says which form of archive this is.
const FORMAT_KEY: &str = "custody.format";
/// The form that this code writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// Set on purpose: commit files hold the batch manifests, so nothing may clean
/// them up by age, and `txn` entries never expire (no retention is set for them).
const PROPERTIES: [(&str, &str); 4] = [
    ("delta.enableExpiredLogCleanup", "false"),
    ("delta.logRetentionDuration", "interval 36500 days"),
    ("delta.deletedFileRetentionDuration", "interval 30 days"),
    // Readers take statistics from the Parquet footers; the log stays small.
    ("delta.dataSkippingNumIndexedCols", "0"),
];

/// How long checkpoints tell of removed files: `delta.deletedFileRetentionDuration`.
pub(crate) const REMOVED_KEPT_MS: i64 = 30 * 86_400_000;
/// The table may have domains of metadata: which life of each topic it is at stands in them.
/// The kernel takes this as an instruction and keeps it out of the table's properties.
const DOMAINS: (&str, &str) = ("delta.feature.domainMetadata", "supported");

/// What a commit adds.
pub(crate) struct Append<'a> {
    pub(crate) path: &'a str,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
    pub(crate) modified_ms: i64,
    pub(crate) retention_class: &'a str,
    pub(crate) archive_month: &'a str,
    pub(crate) txns: &'a [(String, i64)],
    /// Domains and what they hold from now on.
    pub(crate) domains: &'a [(String, String)],
    pub(crate) record: String,
}

/// How an attempt to commit ended.
pub(crate) enum Outcome {
    /// This version is ours.
    Committed(u64),
    /// Somebody else made that version: catch up and look again.
    Conflict,
    /// The store failed: the commit may or may not be there.
    Unknown(KernelError),
}

/// A version of the table that it has not moved to.
pub(crate) struct Newest(SnapshotRef);

impl Newest {
    pub(crate) fn version(&self) -> u64 {
        self.0.version()
    }
}

/// The table at one version.
pub(crate) struct Table {
    engine: DefaultEngine<TokioMultiThreadExecutor>,
    snapshot: SnapshotRef,
    checkpoint_every: u64,
}

fn kernel(what: &str, error: KernelError) -> Error {
    Error::with(Kind::Retry, what, error)
}

fn engine(store: &Store) -> DefaultEngine<TokioMultiThreadExecutor> {
    DefaultEngineBuilder::new(store.objects.clone())
        .with_task_executor(Arc::new(TokioMultiThreadExecutor::new(store.handle().clone())))
        .build()
}

fn delta_schema() -> Result<StructType, Error> {
    StructType::try_from_arrow(&table_schema())
        .map_err(|e| Error::with(Kind::Corrupt, "the archive's columns are not a Delta schema", e))
}

/// The columns of an archive, as `metaData` has them.
pub(crate) fn schema_string() -> Result<String, Error> {
    serde_json::to_string(&delta_schema()?)
        .map_err(|e| Error::with(Kind::Corrupt, "the archive's columns cannot be written", e))
}

/// The table properties of an archive, as `metaData` has them.
pub(crate) fn configuration() -> serde_json::Value {
    let format = FORMAT.to_string();
    let properties = PROPERTIES.iter().copied().chain([(FORMAT_KEY, format.as_str())]);
    properties.map(|(name, value)| (name.to_owned(), value.into())).collect::<serde_json::Map<_, _>>().into()
}

impl Table {
    /// Opens the table; `None` when there is none at that place.
    pub(crate) fn open(store: &Store, checkpoint_every: u64) -> Result<Option<Self>, Error> {
        let engine = engine(store);
        // The first commit says whether there is a table, without guessing from
        // the kernel's error texts. It is never cleaned away.
        if store.get(&crate::log::commit_path(0))?.is_none() {
            return Ok(None);
        }
        let snapshot = Snapshot::builder_for(store.root.as_str())
            .build(&engine)
            .map_err(|e| kernel("cannot read the archive's log", e))?;
        let table = Table { engine, snapshot, checkpoint_every };
        table.check_format()?;
        Ok(Some(table))
    }

    /// Makes the table. When another worker makes it first, theirs is opened.
    pub(crate) fn create(store: &Store, checkpoint_every: u64) -> Result<Self, Error> {
        store.make_root()?;
        let engine = engine(store);
        let schema = delta_schema()?;
        let format = FORMAT.to_string();
        let properties = PROPERTIES.iter().copied().chain([(FORMAT_KEY, format.as_str())]);
        let failed = |e| kernel("cannot create the archive", e);
        let layout = DataLayout::partitioned(PARTITION_COLUMNS);
        let made = create_table(store.root.as_str(), Arc::new(schema), ENGINE, true)
            .with_table_properties(properties.chain([DOMAINS]))
            .with_data_layout(layout)
            .build(&engine, Box::new(FileSystemCommitter::new()))
            .and_then(|transaction| transaction.commit(&engine));
        match made {
            Ok(_) | Err(KernelError::TableAlreadyExistsAtPath(_)) => {}
            Err(error) => return Err(failed(error)),
        }
        Table::open(store, checkpoint_every)?
            .ok_or_else(|| Error::new(Kind::Retry, "the archive was created but cannot be found"))
    }

    fn check_format(&self) -> Result<(), Error> {
        let known = self.snapshot.table_properties().unknown_properties.get(FORMAT_KEY);
        let Some(text) = known else {
            return Err(Error::new(Kind::Invalid, "this Delta table is not a Custody archive"));
        };
        match text.parse::<u32>() {
            Ok(format) if format <= FORMAT => Ok(()),
            _ => Err(Error::new(
                Kind::Invalid,
                format!(
                    "the archive has format {text}, this custody reads up to {FORMAT}: use a newer custody"
                ),
            )),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// The newest version. The table stays where it is: see [`Table::move_to`].
    pub(crate) fn newest(&self) -> Result<Newest, Error> {
        let newest = Snapshot::builder_from(self.snapshot.clone()).build(&self.engine);
        Ok(Newest(newest.map_err(|e| kernel("cannot read the archive's log", e))?))
    }

    /// Moves to a version that was found.
    pub(crate) fn move_to(&mut self, newest: Newest) {
        self.snapshot = newest.0;
    }

    /// The version that a Delta application id stands at.
    pub(crate) fn txn(&self, app_id: &str) -> Result<Option<i64>, Error> {
        let found = self.snapshot.get_app_id_version(app_id, &self.engine);
        found.map_err(|e| kernel("cannot read the archive's offsets", e))
    }

    /// What a domain holds.
    pub(crate) fn domain(&self, domain: &str) -> Result<Option<String>, Error> {
        let found = self.snapshot.get_domain_metadata(domain, &self.engine);
        found.map_err(|e| kernel("cannot read the archive's topics", e))
    }

    /// Tries to commit a file on top of the version it stands at.
    pub(crate) fn commit(&mut self, append: &Append<'_>) -> Result<Outcome, Error> {
        let prepare = |e| Error::with(Kind::Corrupt, "cannot prepare a commit", e);
        let (info, info_schema) = commit_info(&append.record)?;
        let mut transaction = self
            .snapshot
            .clone()
            .update_table(UpdateTableOperation::StreamingUpdate, ENGINE, true)
            .with_blind_append()
            .with_commit_info(info, info_schema)
            .build(&self.engine, Box::new(FileSystemCommitter::new()))
            .map_err(prepare)?;
        for (app_id, next) in append.txns {
            transaction = transaction.with_transaction_id(app_id.clone(), *next);
        }
        for (domain, configuration) in append.domains {
            transaction = transaction.with_domain_metadata(domain.clone(), configuration.clone());
        }
        transaction.add_files(add_file(append)?);
        self.end(transaction)
    }

    /// Tries to commit what a domain holds from now on, and no file, on top of the version it
    /// stands at.
    pub(crate) fn declare(&mut self, domain: &str, holds: &str, record: &str) -> Result<Outcome, Error> {
        let prepare = |e| Error::with(Kind::Corrupt, "cannot prepare a commit", e);
        let (info, info_schema) = commit_info(record)?;
        let transaction = self
            .snapshot
            .clone()
            .update_table(UpdateTableOperation::Write, ENGINE, false)
            .with_commit_info(info, info_schema)
            .build(&self.engine, Box::new(FileSystemCommitter::new()))
            .map_err(prepare)?
            .with_domain_metadata(domain.to_owned(), holds.to_owned());
        self.end(transaction)
    }

    fn end(&mut self, transaction: Transaction) -> Result<Outcome, Error> {
        match transaction.commit(&self.engine) {
            Ok(CommitResult::Committed(committed)) => {
                // Never further than what we committed: what others did must be read first.
                if let Some(snapshot) = committed.post_commit_snapshot() {
                    self.snapshot = snapshot.clone();
                }
                let due = committed.post_commit_stats().commits_since_checkpoint >= self.checkpoint_every;
                if due {
                    self.checkpoint();
                }
                Ok(Outcome::Committed(committed.commit_version()))
            }
            Ok(CommitResult::Conflicted(_)) => Ok(Outcome::Conflict),
            Ok(CommitResult::Retryable(failed)) => Ok(Outcome::Unknown(failed.error)),
            Err(error) => Ok(Outcome::Unknown(error)),
        }
    }

    /// A checkpoint is derived: without it opening is slower, nothing else.
    fn checkpoint(&mut self) {
        match self.snapshot.checkpoint(&self.engine, None) {
            Ok((_, snapshot)) => self.snapshot = snapshot,
            Err(error) => tracing::warn!(version = self.version(), %error, "checkpoint not written"),
        }
    }
}

fn commit_info(record: &str) -> Result<(Box<dyn EngineData>, Arc<StructType>), Error> {
    let schema = Arc::new(Schema::new(vec![Field::new("custody", DataType::Utf8, true)]));
    let kernel_schema = StructType::try_from_arrow(schema.as_ref())
        .map_err(|e| Error::with(Kind::Corrupt, "cannot prepare a commit", e))?;
    let column: ArrayRef = Arc::new(StringArray::from(vec![record]));
    let row = RecordBatch::try_new(schema, vec![column]).map_err(crate::rows::internal)?;
    Ok((Box::new(ArrowEngineData::new(row)), Arc::new(kernel_schema)))
}

/// The one row of the kernel's add-file form.
fn add_file(append: &Append<'_>) -> Result<Box<dyn EngineData>, Error> {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut partitions = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    let values = HashMap::from([
        (PARTITION_COLUMNS[0], append.retention_class),
        (PARTITION_COLUMNS[1], append.archive_month),
    ]);
    for name in PARTITION_COLUMNS {
        partitions.keys().append_value(name);
        partitions.values().append_option(values.get(name).copied());
    }
    partitions.append(true).map_err(crate::rows::internal)?;
    let partitions: ArrayRef = Arc::new(partitions.finish());
    let number =
        |n: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![i64::try_from(n).unwrap_or(i64::MAX)])) };
    let stats_fields = Fields::from(vec![Field::new("numRecords", DataType::Int64, true)]);
    let stats =
        StructArray::try_new(stats_fields, vec![number(append.rows)], None).map_err(crate::rows::internal)?;
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("path", Arc::new(StringArray::from(vec![append.path])), false),
        ("partitionValues", partitions, false),
        ("size", number(append.bytes), false),
        ("modificationTime", Arc::new(Int64Array::from(vec![append.modified_ms])), false),
        ("stats", Arc::new(stats), true),
    ];
    let row = RecordBatch::try_from_iter_with_nullable(columns).map_err(crate::rows::internal)?;
    Ok(Box::new(ArrowEngineData::new(row)))
}
