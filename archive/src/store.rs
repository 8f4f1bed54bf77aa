//! Where an archive or an index is kept, and reading and writing whole objects there.

use std::error::Error as _;
use std::fmt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
};
use tokio::runtime::{Handle, Runtime};
use url::Url;

use crate::durable::{DurableStore, LocalDisk};
use crate::error::{Error, Kind};

/// A folder or `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder on local disk.
    Folder(PathBuf),
    /// A prefix in a bucket.
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix, without slashes around it.
        prefix: String,
    },
}

impl Location {
    /// Reads a path or `s3://bucket/prefix`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |why: &str| Error::new(Kind::Invalid, format!("archive location {text:?} {why}"));
        let Some(rest) = text.strip_prefix("s3://") else {
            if text.is_empty() || text.contains("://") {
                return Err(invalid("is neither a folder nor s3://bucket/prefix"));
            }
            return Ok(Location::Folder(PathBuf::from(text)));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(invalid("names no bucket"));
        }
        Ok(Location::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Folder(path) => write!(f, "{}", path.display()),
            Location::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// How to reach S3 where the usual AWS environment does not say it.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Another endpoint than Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Allow an endpoint without TLS.
    pub allow_http: bool,
    /// One request, of at most a file's bytes, with its answer.
    pub request_age_max: Duration,
}

impl Default for S3Settings {
    fn default() -> Self {
        S3Settings {
            endpoint: None,
            region: None,
            allow_http: false,
            request_age_max: Duration::from_secs(60),
        }
    }
}

/// A connection that is not made by then will not be.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The client's own retries of a request: those of the worker come on top, and are seen.
const RETRIES_MAX: usize = 3;
const RETRY_AGE_MAX: Duration = Duration::from_secs(30);

/// An object that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) path: String,
    /// When it was last written as the store says, milliseconds since 1970 UTC.
    pub(crate) modified_ms: i64,
}

/// An opened location. Every call blocks.
pub struct Store {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) root: Url,
    base: Path,
    folder: Option<PathBuf>,
    runtime: Runtime,
}

impl Store {
    /// Opens a location; nothing is read or made yet.
    ///
    /// # Errors
    ///
    /// `Invalid` where the location cannot be one.
    pub fn open(location: &Location, s3: &S3Settings) -> Result<Self, Error> {
        match location {
            Location::Folder(path) => Store::folder(location, path),
            Location::S3 { bucket, prefix } => {
                let invalid =
                    |e: object_store::Error| Error::with(Kind::Invalid, format!("cannot open {location}"), e);
                let objects = Arc::new(s3_client(bucket, s3).build().map_err(invalid)?);
                let text = if prefix.is_empty() {
                    format!("s3://{bucket}/")
                } else {
                    format!("s3://{bucket}/{prefix}/")
                };
                Store::over(objects, &text)
            }
        }
    }

    fn folder(location: &Location, path: &FsPath) -> Result<Self, Error> {
        let bad = || Error::new(Kind::Invalid, format!("{location} cannot be used as a path"));
        let folder = std::path::absolute(path)
            .map_err(|e| Error::with(Kind::Invalid, format!("cannot open {location}"), e))?;
        if folder.exists() && !folder.is_dir() {
            let message = format!("{location} is a file, not a folder");
            return Err(Error::new(Kind::Invalid, message));
        }
        let root = Url::from_directory_path(&folder).map_err(|()| bad())?;
        let base = Path::from_absolute_path(&folder).map_err(|_| bad())?;
        let objects = Arc::new(DurableStore::new());
        Ok(Store { objects, root, base, folder: Some(folder), runtime: runtime()? })
    }

    /// Any object store, which must have put-if-absent; `root` is a URL that ends with a slash
    /// and whose path is the prefix of everything.
    ///
    /// # Errors
    ///
    /// `Invalid` where `root` is no URL.
    pub fn over(objects: Arc<dyn ObjectStore>, root: &str) -> Result<Self, Error> {
        let invalid = |e: url::ParseError| Error::with(Kind::Invalid, format!("{root} is no URL"), e);
        let root = Url::parse(root).map_err(invalid)?;
        let base = Path::from_url_path(root.path())
            .map_err(|e| Error::with(Kind::Invalid, format!("{root} cannot be used as a path"), e))?;
        Ok(Store { objects, root, base, folder: None, runtime: runtime()? })
    }

    /// Makes the folder, where the store is one.
    pub(crate) fn make_root(&self) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        crate::durable::make_folder(&LocalDisk, folder).map_err(|e| {
            let message = format!("cannot make the archive's folder {}", folder.display());
            Error::with(Kind::Invalid, message, e)
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    fn path(&self, relative: &str) -> Path {
        relative
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(self.base.clone(), |path, part| path.join(part))
    }

    /// The file on disk, where the store is a folder.
    pub fn on_disk(&self, relative: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(FsPath::new(relative)))
    }

    /// An object for messages: its path or URL.
    pub fn shown(&self, relative: &str) -> String {
        match &self.folder {
            Some(folder) => folder.join(FsPath::new(relative)).display().to_string(),
            None => format!("{}{relative}", self.root),
        }
    }

    /// Writes an object whole; what was there before is replaced.
    pub fn put(&self, relative: &str, bytes: impl Into<Bytes>) -> Result<(), Error> {
        let written = self.runtime.block_on(self.objects.put(&self.path(relative), bytes.into().into()));
        written.map(|_| ()).map_err(|e| self.failed("write", relative, e))
    }

    /// Writes an object whole; `false` when the name is taken, which changes nothing. After an
    /// error it may be there or not.
    pub fn put_new(&self, relative: &str, bytes: impl Into<Bytes>) -> Result<bool, Error> {
        let options = PutOptions::from(PutMode::Create);
        let path = self.path(relative);
        let put = self.objects.put_opts(&path, bytes.into().into(), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(e) => Err(self.failed("write", relative, e)),
        }
    }

    /// The objects in a folder and below it, in no order.
    pub fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        Ok(self.objects_in(folder)?.into_iter().map(|object| object.path).collect())
    }

    /// The same, and when each was written.
    pub(crate) fn objects_in(&self, folder: &str) -> Result<Vec<Object>, Error> {
        let listed = self.objects.list(Some(&self.path(folder))).map_ok(|object| Object {
            path: self.relative(&object.location),
            modified_ms: object.last_modified.timestamp_millis(),
        });
        let listed = self.runtime.block_on(listed.try_collect());
        listed.map_err(|e| self.failed("list", folder, e))
    }

    /// The folders at the top.
    pub(crate) fn folders(&self) -> Result<Vec<String>, Error> {
        let listed = self.runtime.block_on(self.objects.list_with_delimiter(Some(&self.base)));
        let listed = listed.map_err(|e| self.failed("list", "", e))?;
        Ok(listed.common_prefixes.iter().map(|path| self.relative(path)).collect())
    }

    fn relative(&self, path: &Path) -> String {
        path.as_ref().trim_start_matches(self.base.as_ref()).trim_start_matches('/').to_owned()
    }

    /// Reads an object whole; `None` when there is none.
    pub fn get(&self, relative: &str) -> Result<Option<Bytes>, Error> {
        let path = self.path(relative);
        let read = self.runtime.block_on(async { self.objects.get(&path).await?.bytes().await });
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("read", relative, e)),
        }
    }

    /// How many bytes an object has; `None` when there is none.
    pub fn size(&self, relative: &str) -> Result<Option<u64>, Error> {
        match self.runtime.block_on(self.objects.head(&self.path(relative))) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(self.failed("look at", relative, e)),
        }
    }

    /// Removes an object that may be gone already.
    pub fn remove(&self, relative: &str) -> Result<(), Error> {
        match self.runtime.block_on(self.objects.delete(&self.path(relative))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("remove", relative, e)),
        }
    }

    /// Removes what a listing found under this name, which no caller of this store would give.
    pub(crate) fn remove_listed(&self, listed: &str) -> Result<(), Error> {
        let whole = format!("{}/{listed}", self.base);
        let path = Path::parse(whole.trim_start_matches('/'))
            .map_err(|e| Error::with(Kind::Invalid, format!("{listed} is no name of an object"), e))?;
        match self.runtime.block_on(self.objects.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.failed("remove", listed, e)),
        }
    }

    fn failed(&self, doing: &str, relative: &str, error: object_store::Error) -> Error {
        let why = first_cause(&error).map(|why| format!(" ({why})")).unwrap_or_default();
        Error::with(Kind::Retry, format!("cannot {doing} {}{why}", self.shown(relative)), error)
    }
}

/// The cause of all others, such as that time was up, which the client's own text leaves out.
fn first_cause(error: &object_store::Error) -> Option<String> {
    let mut first = error.source()?;
    while let Some(cause) = first.source() {
        first = cause;
    }
    Some(first.to_string()).filter(|why| !error.to_string().contains(why))
}

/// Commits wait on the store, never the other way round: two threads are enough.
fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("custody-store")
        .enable_all()
        .build()
        .map_err(|e| Error::with(Kind::Invalid, "cannot start the threads of the store", e))
}

/// Credentials come from the usual AWS environment. A conditional put that is sent again after an
/// answer was lost may meet its own object: whoever puts reads what is there.
fn s3_client(bucket: &str, s3: &S3Settings) -> AmazonS3Builder {
    let client = ClientOptions::new()
        .with_connect_timeout(CONNECT_MAX)
        .with_timeout(s3.request_age_max)
        .with_allow_http(s3.allow_http);
    let retry = RetryConfig {
        max_retries: RETRIES_MAX,
        retry_timeout: RETRY_AGE_MAX,
        backoff: BackoffConfig::default(),
    };
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_client_options(client)
        .with_retry(retry);
    if let Some(endpoint) = &s3.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some(region) = &s3.region {
        builder = builder.with_region(region);
    }
    builder
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
