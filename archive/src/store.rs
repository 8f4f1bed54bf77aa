//! Where an archive is kept, and reading and writing whole objects there.

use std::fmt;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::aws::{AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::{Handle, Runtime};
use url::Url;

use crate::durable::DurableStore;
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
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// Another endpoint than Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// Allow an endpoint without TLS.
    pub allow_http: bool,
}

/// An opened location.
pub(crate) struct Store {
    pub(crate) objects: Arc<dyn ObjectStore>,
    pub(crate) root: Url,
    base: Path,
    folder: Option<PathBuf>,
    runtime: Runtime,
}

impl Store {
    pub(crate) fn open(location: &Location, s3: &S3Settings) -> Result<Self, Error> {
        let failed =
            |e: std::io::Error| Error::with(Kind::Invalid, format!("cannot open archive {location}"), e);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("custody-store")
            .enable_all()
            .build()
            .map_err(failed)?;
        match location {
            Location::Folder(path) => {
                let folder = std::path::absolute(path).map_err(failed)?;
                if folder.exists() && !folder.is_dir() {
                    let message = format!("{location} is a file, not the folder of an archive");
                    return Err(Error::new(Kind::Invalid, message));
                }
                let bad = || Error::new(Kind::Invalid, format!("archive path {location} cannot be used"));
                let root = Url::from_directory_path(&folder).map_err(|()| bad())?;
                let base = Path::from_absolute_path(&folder).map_err(|_| bad())?;
                Ok(Store {
                    objects: Arc::new(DurableStore::new()),
                    root,
                    base,
                    folder: Some(folder),
                    runtime,
                })
            }
            Location::S3 { bucket, prefix } => {
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_conditional_put(S3ConditionalPut::ETagMatch)
                    .with_allow_http(s3.allow_http);
                if let Some(endpoint) = &s3.endpoint {
                    builder = builder.with_endpoint(endpoint);
                }
                if let Some(region) = &s3.region {
                    builder = builder.with_region(region);
                }
                let invalid = |e: object_store::Error| {
                    Error::with(Kind::Invalid, format!("cannot open archive {location}"), e)
                };
                let objects = Arc::new(builder.build().map_err(invalid)?);
                let text = if prefix.is_empty() {
                    format!("s3://{bucket}/")
                } else {
                    format!("s3://{bucket}/{prefix}/")
                };
                let root = Url::parse(&text).map_err(|e| {
                    Error::with(Kind::Invalid, format!("archive location {location} is no URL"), e)
                })?;
                Ok(Store { objects, root, base: Path::from(prefix.as_str()), folder: None, runtime })
            }
        }
    }

    /// Makes the folder of a new archive on local disk.
    pub(crate) fn make_root(&self) -> Result<(), Error> {
        let Some(folder) = &self.folder else { return Ok(()) };
        crate::durable::make_folder(folder).map_err(|e| {
            let message = format!("cannot make the archive's folder {}", folder.display());
            Error::with(Kind::Invalid, message, e)
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    fn path(&self, relative: &str) -> Path {
        relative.split('/').fold(self.base.clone(), |path, part| path.join(part))
    }

    /// The file on disk, where the store is one.
    pub(crate) fn on_disk(&self, relative: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(FsPath::new(relative)))
    }

    /// Writes an object whole; the name of a data file holds its hash, so
    /// writing it again writes the same.
    pub(crate) fn put(&self, relative: &str, bytes: Vec<u8>) -> Result<(), Error> {
        let written = self.runtime.block_on(self.objects.put(&self.path(relative), bytes.into()));
        written.map(|_| ()).map_err(|e| Error::with(Kind::Retry, format!("cannot write {relative}"), e))
    }

    /// The objects in a folder and below it.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<String>, Error> {
        let listed = self.objects.list(Some(&self.path(folder))).map_ok(|object| object.location);
        let listed = self.runtime.block_on(listed.try_collect::<Vec<_>>());
        let listed = listed.map_err(|e| Error::with(Kind::Retry, format!("cannot list {folder}"), e))?;
        let base = self.base.as_ref();
        let relative =
            |path: &Path| path.as_ref().trim_start_matches(base).trim_start_matches('/').to_owned();
        Ok(listed.iter().map(relative).collect())
    }

    /// Reads an object whole; `None` when there is none.
    pub(crate) fn get(&self, relative: &str) -> Result<Option<Bytes>, Error> {
        let path = self.path(relative);
        let read = self.runtime.block_on(async { self.objects.get(&path).await?.bytes().await });
        match read {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(Error::with(Kind::Retry, format!("cannot read {relative}"), e)),
        }
    }
}
