//! The threads of Opik's traces, for a file of its spans: these know their trace, and only the trace knows its thread.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use bytesize::ByteSize;

use super::expand::Input;
use super::items::Item;
use super::limits::Limits;
use super::open::{Format, Opened, open};
use super::shapes::spans::Around;
use super::shapes::table::opik_thread;
use super::values::Values;

/// The file of traces beside a file of spans, read when it is needed.
#[derive(Debug, Default, Clone)]
pub(super) struct Threads {
    beside: Option<PathBuf>,
    limits: Limits,
    /// What was read, or why it cannot be: once for all parts of the file of spans.
    known: Arc<OnceLock<Result<Arc<Around>, String>>>,
}

impl Threads {
    /// Threads for a file: those of the file of the same name with `traces` in the place of `spans`, if there is one.
    pub(super) fn beside(input: &Input, limits: Limits) -> Self {
        let beside = match input {
            Input::Path { path, .. } => traces_beside(path),
            Input::Stdin => None,
        };
        Self { beside, limits, known: Arc::default() }
    }

    /// The threads by the ids of their traces.
    ///
    /// # Errors
    ///
    /// When the file beside cannot be read, or when it names more threads than memory allows.
    pub(super) fn read(&self) -> Result<Arc<Around>, String> {
        let known = self.known.get_or_init(|| match &self.beside {
            Some(path) => read(path, self.limits).map(|threads| Arc::new(Around::of_threads(threads))),
            None => Ok(Arc::default()),
        });
        known.clone()
    }
}

fn traces_beside(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let beside = name.contains("spans").then(|| path.with_file_name(name.replace("spans", "traces")))?;
    beside.is_file().then_some(beside)
}

fn read(path: &Path, limits: Limits) -> Result<HashMap<String, String>, String> {
    let what = |reason: String| format!("{}, which names the threads of these spans: {reason}", path.display());
    let size = path.metadata().map(|metadata| metadata.len()).ok();
    let input = Input::Path { path: path.to_owned(), size };
    let opened = open(&input, Format::Auto, limits, &Arc::new(AtomicU64::new(0))).map_err(|e| what(e.to_string()))?;
    let (Opened::Lines(mut stream) | Opened::List(mut stream)) = opened else { return Ok(HashMap::new()) };
    let (mut values, mut buffer, mut threads) = (Values::new(), Vec::new(), HashMap::new());
    let mut bytes = 0;
    loop {
        match values.next(&mut stream, &mut buffer, limits.row()) {
            Ok(Some(Item::Whole(_))) => {
                let thread = simdutf8::basic::from_utf8(&buffer).ok().and_then(opik_thread);
                if let Some((trace, thread)) = thread {
                    bytes += trace.len() + thread.len();
                    threads.insert(trace, thread);
                }
            }
            // A trace that does not fit is told where that file is read itself.
            Ok(Some(_)) => {}
            Ok(None) => return Ok(threads),
            Err(error) => return Err(what(error.to_string())),
        }
        if bytes > limits.memory / 4 {
            let most = ByteSize(limits.memory as u64 / 4);
            return Err(what(format!("more than {most} of their names, a quarter of what --memory allows")));
        }
    }
}
