//! Storage that fails once, or stands still, at a chosen operation, in a chosen way.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use tokio::sync::Notify;

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A write does nothing and says so.
    RefusedWrite,
    /// A write is done, and the answer is lost.
    LostReply,
    /// A write is done, its answer is lost, and the client tries again by itself: what it tells is the second answer.
    RetriedWrite,
    /// A write is done, its answer is lost, and nothing is reached any more.
    Vanishes,
    /// The process says so on stdout and stands still where a write would begin.
    StopBefore,
    /// The process says so on stdout and stands still where a write is done.
    StopAfter,
    /// A write, or a deletion, waits before it begins until it is told to go on.
    Pause,
    /// A read or a listing fails.
    FailedRead,
    /// The body of a read ends with an error half way.
    CutRead,
}

impl Fault {
    fn is_write(self) -> bool {
        !matches!(self, Self::FailedRead | Self::CutRead)
    }
}

/// Another object store, whose operation number `at` (of the kind that the fault strikes, from 0) fails.
#[derive(Debug, Clone)]
pub(crate) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    fault: Fault,
    at: usize,
    seen: Arc<AtomicUsize>,
    gate: Arc<Gate>,
}

/// Where a write waits.
#[derive(Debug, Default)]
struct Gate {
    /// The file that it writes.
    reached: Mutex<Option<Path>>,
    arrival: Notify,
    departure: Notify,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, fault: Fault, at: usize) -> Self {
        Self { inner, fault, at, seen: Arc::default(), gate: Arc::default() }
    }

    /// Whether the operation that fails was reached.
    pub(crate) fn struck(&self) -> bool {
        self.seen.load(Ordering::SeqCst) > self.at
    }

    /// Waits until the write that pauses is reached; gives its file.
    pub(crate) async fn reached(&self) -> String {
        self.gate.arrival.notified().await;
        self.gate.reached.lock().unwrap().take().unwrap().to_string()
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.gate.departure.notify_one();
    }

    async fn pause(&self, location: &Path) {
        *self.gate.reached.lock().unwrap() = Some(location.clone());
        self.gate.arrival.notify_one();
        self.gate.departure.notified().await;
    }

    fn is_gone(&self) -> bool {
        self.fault == Fault::Vanishes && self.struck()
    }

    fn strikes(&self, write: bool) -> bool {
        if self.is_gone() {
            return true;
        }
        self.fault.is_write() == write && self.seen.fetch_add(1, Ordering::SeqCst) == self.at
    }
}

/// Says where this is, and waits to be killed.
fn stop(when: &str, location: &Path) -> ! {
    println!("stopped {when} {location}");
    loop {
        std::thread::park();
    }
}

fn failed(operation: &str) -> Error {
    Error::Generic { store: "faulty", source: format!("injected failure of {operation}").into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.is_gone() {
            return Err(failed("put"));
        }
        if !self.strikes(true) {
            return self.inner.put_opts(location, payload, options).await;
        }
        match self.fault {
            Fault::RetriedWrite => {
                self.inner.put_opts(location, payload.clone(), options.clone()).await?;
                self.inner.put_opts(location, payload, options).await
            }
            Fault::LostReply | Fault::Vanishes => {
                self.inner.put_opts(location, payload, options).await?;
                Err(failed("put"))
            }
            Fault::Pause => {
                self.pause(location).await;
                self.inner.put_opts(location, payload, options).await
            }
            Fault::StopBefore => stop("before", location),
            Fault::StopAfter => {
                self.inner.put_opts(location, payload, options).await?;
                stop("after", location)
            }
            _ => Err(failed("put")),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if self.strikes(true) {
            return Err(failed("multipart put"));
        }
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let head = options.head;
        if !self.strikes(false) {
            return self.inner.get_opts(location, options).await;
        }
        if head || self.fault != Fault::CutRead {
            return Err(failed("get"));
        }
        let result = self.inner.get_opts(location, options).await?;
        let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
        let bytes = result.bytes().await?;
        let parts: Vec<Result<Bytes>> = vec![Ok(bytes.slice(..bytes.len() / 2)), Err(failed("the end of get"))];
        Ok(GetResult { payload: GetResultPayload::Stream(stream::iter(parts).boxed()), meta, range, attributes })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let faulty = self.clone();
        let delete = move |location: Result<Path>| {
            let faulty = faulty.clone();
            async move {
                let location = location?;
                let strikes = faulty.strikes(true);
                if strikes && faulty.fault == Fault::Pause {
                    faulty.pause(&location).await;
                }
                if strikes && faulty.fault == Fault::StopBefore {
                    stop("before", &location);
                }
                if !strikes || faulty.fault != Fault::RefusedWrite {
                    faulty.inner.delete(&location).await?;
                }
                match faulty.fault {
                    Fault::StopAfter if strikes => stop("after", &location),
                    Fault::RetriedWrite if strikes => faulty.inner.delete(&location).await.map(|()| location),
                    Fault::Pause => Ok(location),
                    _ if strikes => Err(failed("delete")),
                    _ => Ok(location),
                }
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.strikes(false) {
            let mut rest = self.inner.list(prefix).take(1);
            let cut = self.fault == Fault::CutRead;
            return async_stream_of(async move { if cut { rest.next().await } else { None } }).boxed();
        }
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if self.strikes(false) {
            return Err(failed("list"));
        }
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let strikes = self.strikes(true);
        if !strikes || self.fault != Fault::RefusedWrite {
            self.inner.copy_opts(from, to, options).await?;
        }
        if strikes { Err(failed("copy")) } else { Ok(()) }
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let strikes = self.strikes(true);
        if !strikes || self.fault != Fault::RefusedWrite {
            self.inner.rename_opts(from, to, options).await?;
        }
        if strikes { Err(failed("rename")) } else { Ok(()) }
    }
}

/// A listing of at most one entry that then fails.
fn async_stream_of(
    first: impl Future<Output = Option<Result<ObjectMeta>>> + Send + 'static,
) -> impl futures::Stream<Item = Result<ObjectMeta>> + Send + 'static {
    stream::once(first).filter_map(|item| async move { item }).chain(stream::iter([Err(failed("list"))]))
}
