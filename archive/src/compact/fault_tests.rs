//! Every store operation of a compaction and of a removal fails once, before or after it took
//! effect. Whatever happens, nothing is lost, and going on ends where it would have ended.

use std::fmt;
use std::path::Path as FsPath;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::tests::{DAY_MS, LATER, World, data_files, settle};
use super::*;
use crate::durable::DurableStore;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Fails,
    FailsThoughDone,
}

/// A store whose n-th operation fails.
#[derive(Debug)]
struct Faulty {
    inner: DurableStore,
    /// Operations until then; it fails when this is passed.
    left: AtomicUsize,
    fault: Fault,
}

impl Faulty {
    /// Whether this operation fails.
    fn is_due(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) == Ok(1)
    }
}

fn failed() -> object_store::Error {
    object_store::Error::Generic { store: "faulty", source: "as it was told to".into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        if !self.is_due() {
            return self.inner.put_opts(location, payload, opts).await;
        }
        if self.fault == Fault::FailsThoughDone {
            self.inner.put_opts(location, payload, opts).await?;
        }
        Err(failed())
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if self.is_due() { Err(failed()) } else { self.inner.get_opts(location, options).await }
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        if !self.is_due() {
            return self.inner.delete_stream(locations);
        }
        match self.fault {
            Fault::Fails => stream::once(async { Err(failed()) }).boxed(),
            Fault::FailsThoughDone => {
                self.inner.delete_stream(locations).map(|removed| removed.and(Err(failed()))).boxed()
            }
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.is_due() { stream::once(async { Err(failed()) }).boxed() } else { self.inner.list(prefix) }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if self.is_due() { Err(failed()) } else { self.inner.list_with_delimiter(prefix).await }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn copy(from: &FsPath, to: &FsPath) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            assert!(std::fs::copy(entry.path(), target).is_ok());
        }
    }
}

#[test]
fn every_operation_may_fail() {
    let mut template = World::new();
    template.batches(3);
    let content = template.content();
    let (mut tried, mut felt) = (0, 0);
    for fault in [Fault::Fails, Fault::FailsThoughDone] {
        for nth in 1.. {
            let dir = tempfile::tempdir().unwrap();
            copy(&template.dir.path().join("archive"), &dir.path().join("archive"));
            let world = World::over(dir);
            let inner = DurableStore::new();
            let objects = Arc::new(Faulty { inner, left: AtomicUsize::new(nth), fault });
            let root = format!("file://{}/", world.dir.path().join("archive").display());
            let store = Arc::new(Store::over(objects.clone(), &root).unwrap());
            // Compacts, and removes a day later. After a failure the same compactor goes on.
            let step = |compactor: &mut Option<Compactor>, now_ms| -> Result<(), Error> {
                let compactor = match compactor {
                    Some(compactor) => compactor,
                    None => compactor.insert(Compactor::open(store.clone(), CompactSettings::default())?),
                };
                while compactor.step(now_ms)?.more {}
                Ok(())
            };
            let mut compactor = None;
            for now_ms in [LATER, LATER + DAY_MS] {
                for again in 0.. {
                    match step(&mut compactor, now_ms) {
                        Ok(()) => break,
                        Err(error) => {
                            assert_eq!((error.kind, again), (Kind::Retry, 0), "{fault:?} {nth}: {error}");
                            felt += 1;
                            assert_eq!(world.content(), content, "{fault:?} {nth}");
                            world.check();
                        }
                    }
                }
            }
            if objects.left.load(Ordering::SeqCst) > 0 {
                break;
            }
            tried += 1;
            assert_eq!(world.check(), (1, 3, 18), "{fault:?} {nth}");
            assert_eq!(world.content(), content, "{fault:?} {nth}");
            assert_eq!(data_files(world.dir.path()).len(), 1, "{fault:?} {nth}");
            let last = settle(&mut world.compactor(), LATER + 3 * DAY_MS);
            assert_eq!((last.len(), last[0].strays.len()), (1, 0), "{fault:?} {nth}");
        }
    }
    println!("{tried} operations failed, {felt} of them to be told");
    assert!(tried > 40, "{tried}");
}
