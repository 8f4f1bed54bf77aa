//! An object store on the disk of the world, or in front of a real one. Its n-th operation does what
//! the test says.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use custody_archive::put_durably;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, UploadPart,
};

use super::disk::Disk;

/// What goes wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and did nothing.
    Fails,
    /// It fails, and took effect.
    FailsButPersisted,
    /// It is given up as too slow, and takes effect some operations later.
    Stalls,
    /// The process ends before it.
    CrashBefore,
    /// The process ends after it.
    CrashAfter,
    /// The power fails in the middle of it.
    PowerFails,
}

/// All of them.
pub const FAULTS: [Fault; 6] = [
    Fault::Fails,
    Fault::FailsButPersisted,
    Fault::Stalls,
    Fault::CrashBefore,
    Fault::CrashAfter,
    Fault::PowerFails,
];

/// After so many operations what stalled takes effect.
const LATE: u64 = 3;

type Late = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Plan {
    /// Operations so far, and their names if they are to be kept.
    done: u64,
    names: Option<Vec<String>>,
    planned: VecDeque<(u64, Fault)>,
    crashed: bool,
    power_failed: bool,
    late: Vec<(u64, Late)>,
}

/// What is to go wrong with the store of one process.
#[derive(Default)]
pub struct Faults {
    plan: Mutex<Plan>,
}

impl Faults {
    fn with<T>(&self, f: impl FnOnce(&mut Plan) -> T) -> T {
        f(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The operation after `after` others, counted from now, does this.
    pub fn plan(&self, after: u64, fault: Fault) {
        self.with(|plan| plan.planned.push_back((plan.done + after, fault)));
    }

    /// Keeps the names of operations from now on.
    pub fn record(&self) {
        self.with(|plan| plan.names = Some(Vec::new()));
    }

    /// The names that were kept.
    pub fn recorded(&self) -> Vec<String> {
        self.with(|plan| plan.names.clone().unwrap_or_default())
    }

    /// Operations so far.
    pub fn done(&self) -> u64 {
        self.with(|plan| plan.done)
    }

    /// The process is no more: nothing that it does takes effect.
    pub fn is_crashed(&self) -> bool {
        self.with(|plan| plan.crashed)
    }

    /// It is no more because the power failed.
    pub fn is_without_power(&self) -> bool {
        self.with(|plan| plan.power_failed)
    }

    /// The process has ended; what it sent before may still arrive, as it does in a network.
    pub fn end_of_process(&self) {
        self.with(|plan| plan.crashed = false);
    }

    /// The machine has lost its power: what was under way is gone.
    pub fn lose_late(&self) {
        self.with(|plan| {
            plan.late.clear();
            plan.power_failed = false;
        });
        self.end_of_process();
    }

    /// Nothing goes wrong any more; what was late arrives.
    pub fn heal(&self) {
        let late = self.with(|plan| {
            plan.planned.clear();
            plan.crashed = false;
            std::mem::take(&mut plan.late)
        });
        late.into_iter().for_each(|(_, effect)| effect());
    }

    /// Whether a planned fault is still to come.
    pub fn is_planned(&self) -> bool {
        self.with(|plan| !plan.planned.is_empty())
    }

    /// Begins an operation: what is to go wrong with it.
    fn begin(&self, name: &str) -> Result<Option<Fault>> {
        let (fault, due) = self.with(|plan| {
            if plan.crashed {
                return (Some(Fault::CrashBefore), Vec::new());
            }
            let number = plan.done;
            plan.done += 1;
            if let Some(names) = &mut plan.names {
                names.push(name.to_owned());
            }
            let at = plan.planned.iter().position(|(at, _)| *at == number);
            let fault = at.and_then(|at| plan.planned.remove(at)).map(|(_, fault)| fault);
            if matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter | Fault::PowerFails)) {
                plan.crashed = true;
                plan.power_failed = fault == Some(Fault::PowerFails);
            }
            let (due, late) = std::mem::take(&mut plan.late).into_iter().partition(|(at, _)| *at <= number);
            plan.late = late;
            (fault, due)
        });
        due.into_iter().for_each(|(_, effect): (u64, Late)| effect());
        match fault {
            Some(Fault::Fails) => Err(failed(name, "it fails")),
            Some(Fault::CrashBefore) => Err(failed(name, "the process is gone")),
            other => Ok(other),
        }
    }
}

fn failed(name: &str, why: &'static str) -> Error {
    Error::Generic { store: "world", source: format!("{name}: {why}").into() }
}

/// Where the objects are.
#[derive(Clone)]
pub enum Backing {
    /// On the disk of the world.
    Disk(Arc<Disk>),
    /// In a real store; the number grows with every write.
    Real(Arc<dyn ObjectStore>, Arc<AtomicU64>),
}

impl Backing {
    /// Grows with every change.
    pub fn changes(&self) -> u64 {
        match self {
            Backing::Disk(disk) => disk.changes(),
            Backing::Real(_, changes) => changes.load(Ordering::Acquire),
        }
    }

    /// Does what a request asks for, whoever waits for it.
    fn apply(&self, request: Request) -> Result<()> {
        match self {
            Backing::Disk(disk) => request.on_disk(disk),
            Backing::Real(objects, changes) => {
                changes.fetch_add(1, Ordering::AcqRel);
                let objects = objects.clone();
                // A runtime of its own: the caller is on a thread of another one.
                let done = std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                    runtime
                        .map_err(|e| Error::Generic { store: "world", source: e.into() })?
                        .block_on(request.on_real(&*objects))
                });
                done.join().unwrap_or_else(|_| Err(failed("request", "it panicked")))
            }
        }
    }
}

/// A change that was asked for.
enum Request {
    Put { location: Path, payload: PutPayload, create_only: bool },
    Delete { location: Path },
}

impl Request {
    fn on_disk(self, disk: &Disk) -> Result<()> {
        match self {
            Request::Put { location, payload, create_only } => {
                put_durably(disk, &on_disk(&location), &payload, create_only).map_err(|e| match e.kind() {
                    std::io::ErrorKind::AlreadyExists => {
                        Error::AlreadyExists { path: location.to_string(), source: e.into() }
                    }
                    _ => Error::Generic { store: "world", source: e.into() },
                })
            }
            Request::Delete { location } => {
                disk.remove(&on_disk(&location));
                Ok(())
            }
        }
    }

    async fn on_real(self, objects: &dyn ObjectStore) -> Result<()> {
        match self {
            Request::Put { location, payload, create_only } => {
                let mode = if create_only { PutMode::Create } else { PutMode::Overwrite };
                objects.put_opts(&location, payload, mode.into()).await.map(drop)
            }
            Request::Delete { location } => match objects.delete(&location).await {
                Err(Error::NotFound { .. }) => Ok(()),
                done => done,
            },
        }
    }
}

/// See the module.
pub struct FaultyStore {
    backing: Backing,
    faults: Arc<Faults>,
}

impl FaultyStore {
    /// The store of one process.
    pub fn new(backing: Backing, faults: Arc<Faults>) -> Self {
        FaultyStore { backing, faults }
    }

    /// Sends a request, and loses what the test wants to be lost.
    fn send(&self, name: &str, request: Request) -> Result<()> {
        match self.faults.begin(name)? {
            None => self.backing.apply(request),
            Some(Fault::Stalls) => {
                let backing = self.backing.clone();
                let late: Late = Box::new(move || drop(backing.apply(request)));
                self.faults.with(|plan| plan.late.push((plan.done + LATE, late)));
                Err(failed(name, "it takes too long"))
            }
            Some(fault) => {
                if let (Fault::PowerFails, Backing::Disk(disk)) = (fault, &self.backing) {
                    // Each operation is cut in another place.
                    disk.fail_after(self.faults.done() % 6);
                }
                self.backing.apply(request)?;
                Err(failed(name, "its answer is lost"))
            }
        }
    }

    fn begin_to_read(&self, name: &str) -> Result<()> {
        match self.faults.begin(name)? {
            None => Ok(()),
            Some(_) => Err(failed(name, "its answer is lost")),
        }
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("world")
    }
}

fn on_disk(path: &Path) -> PathBuf {
    PathBuf::from(format!("/{path}"))
}

fn meta(location: Path, size: u64) -> ObjectMeta {
    ObjectMeta {
        location,
        last_modified: std::time::SystemTime::UNIX_EPOCH.into(),
        size,
        e_tag: None,
        version: None,
    }
}

fn range_of(asked: Option<&GetRange>, len: u64) -> Range<u64> {
    match asked {
        None => 0..len,
        Some(GetRange::Bounded(range)) => range.start.min(len)..range.end.min(len),
        Some(GetRange::Offset(from)) => (*from).min(len)..len,
        Some(GetRange::Suffix(last)) => len.saturating_sub(*last)..len,
    }
}

#[async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let create_only = match options.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(failed("put", "updates are not known here")),
        };
        let request = Request::Put { location: location.clone(), payload, create_only };
        self.send(&format!("put {location}"), request)?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let store = FaultyStore::new(self.backing.clone(), self.faults.clone());
        Ok(Box::new(Upload { store, location: location.clone(), parts: Vec::new() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.begin_to_read(&format!("get {location}"))?;
        let disk = match &self.backing {
            Backing::Real(objects, _) => return objects.get_opts(location, options).await,
            Backing::Disk(disk) => disk,
        };
        let bytes = disk.read(&on_disk(location)).ok_or_else(|| Error::NotFound {
            path: location.to_string(),
            source: std::io::Error::from(std::io::ErrorKind::NotFound).into(),
        })?;
        let range = range_of(options.range.as_ref(), bytes.len() as u64);
        let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let part: Bytes = bytes.slice(at(range.start)..at(range.end));
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream::iter([Ok(part)]).boxed()),
            meta: meta(location.clone(), bytes.len() as u64),
            range,
            attributes: Attributes::default(),
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = FaultyStore::new(self.backing.clone(), self.faults.clone());
        locations
            .map(move |location| {
                let location = location?;
                let request = Request::Delete { location: location.clone() };
                store.send(&format!("delete {location}"), request)?;
                Ok(location)
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let below = prefix.map_or_else(|| PathBuf::from("/"), on_disk);
        let name = format!("list {}", below.display());
        if let Err(error) = self.begin_to_read(&name) {
            return stream::iter([Err(error)]).boxed();
        }
        match &self.backing {
            Backing::Real(objects, _) => objects.list(prefix),
            Backing::Disk(disk) => {
                let found = disk.list(&below).into_iter();
                let found: Vec<_> = found.map(|(path, size)| Ok(meta(location_of(&path), size))).collect();
                stream::iter(found).boxed()
            }
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let below = prefix.map_or_else(|| PathBuf::from("/"), on_disk);
        let objects = self.list(prefix).collect::<Vec<_>>().await.into_iter().collect::<Result<Vec<_>>>()?;
        let direct = |meta: &ObjectMeta| on_disk(&meta.location).parent() == Some(&*below);
        Ok(ListResult { common_prefixes: Vec::new(), objects: objects.into_iter().filter(direct).collect() })
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(failed("copy", "nobody copies"))
    }
}

fn location_of(path: &std::path::Path) -> Path {
    Path::from(path.to_string_lossy().trim_start_matches('/'))
}

#[derive(Debug)]
struct Upload {
    store: FaultyStore,
    location: Path,
    parts: Vec<PutPayload>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.push(data);
        Box::pin(async { Ok(()) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = std::mem::take(&mut self.parts);
        let whole: PutPayload = parts.iter().flat_map(|part| part.iter().cloned()).collect();
        self.store.put_opts(&self.location, whole, PutMode::Overwrite.into()).await
    }

    async fn abort(&mut self) -> Result<()> {
        Ok(())
    }
}
