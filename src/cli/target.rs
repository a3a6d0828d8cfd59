//! Where results go: a screen, a pipe, or a file that is there whole or as it was.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::pager::Pager;
use super::partial::Partial;
use super::shown::Shown;
use spanql_output::Format;

/// Bytes that wait to be written.
const BUFFER: usize = 1 << 16;

/// How the shell shows results, where nothing else is asked for.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    pub(super) format: Format,
    /// Whether tables have one column a line.
    pub(super) expanded: bool,
    /// Whether the time is said behind the rows.
    pub(super) timing: bool,
    /// A file that takes results instead of the screen, and the format that the screen had.
    pub(super) file: Option<(Format, Arc<File>)>,
    /// What results pass on the way to a screen; none in a pipe.
    pub(super) pager: Option<Pager>,
    /// Which ids the last result named.
    pub(super) shown: Shown,
}

/// Where a result goes, and how.
pub(super) struct Target {
    pub(super) format: Format,
    pub(super) path: Option<PathBuf>,
    pub(super) screen: Option<Screen>,
}

impl Target {
    /// Results on stdout, or where the shell sends them.
    pub(super) fn of_screen(screen: Option<Screen>, format: Format) -> Self {
        Self { format, path: None, screen }
    }

    /// A file.
    pub(super) fn of_file(path: &Path, format: Format) -> Self {
        Self { format, path: Some(path.to_owned()), screen: None }
    }

    /// Opens the place the result goes to. A file gets its name by [`Sink::keep`], and not before: a result that fails
    /// or is interrupted leaves what was there.
    ///
    /// # Errors
    /// When the file cannot be written, or stdout was closed before the process began.
    pub(super) fn open(&self) -> anyhow::Result<Sink> {
        let Some(path) = &self.path else {
            let out: Box<dyn Write + Send> = match &self.screen {
                Some(Screen { file: Some((_, file)), .. }) => Box::new(BufWriter::new(Arc::clone(file))),
                Some(Screen { pager: Some(pager), .. }) => Box::new(pager.open()),
                _ => Box::new(BufWriter::with_capacity(BUFFER, stdout()?)),
            };
            return Ok(Sink { out, unfinished: None });
        };
        let cannot = || format!("cannot write {}", path.display());
        let destination = Destination::of(path).with_context(cannot)?;
        let Destination::File { path: whole, before } = destination else {
            // Devices and pipes take what comes as it comes.
            let file = File::options().write(true).open(path).with_context(cannot)?;
            return Ok(Sink { out: Box::new(BufWriter::with_capacity(BUFFER, file)), unfinished: None });
        };
        let partial = Partial::beside(&whole);
        let file = File::create(partial.path()).map_err(of_directory).with_context(cannot)?;
        if let Some(before) = before {
            file.set_permissions(before).with_context(cannot)?;
        }
        Ok(Sink { out: Box::new(BufWriter::with_capacity(BUFFER, file)), unfinished: Some((partial, whole)) })
    }

    /// Whether the result goes to a file.
    pub(super) fn is_file(&self) -> bool {
        self.path.is_some() || self.screen.as_ref().is_some_and(|screen| screen.file.is_some())
    }
}

/// Says of a refusal that it is the directory's: a file is written under another name first.
fn of_directory(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => io::Error::new(
            error.kind(),
            format!("its directory takes no new file, and it is written beside it first ({error})"),
        ),
        _ => error,
    }
}

/// Whether stdout was closed before the process began.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Remembers that stdout was closed before the process began, which cannot be seen any more once it runs.
pub(super) fn stdout_was_closed() {
    CLOSED.store(true, Ordering::Relaxed);
}

/// What is written to, until it is kept.
pub(super) struct Sink {
    out: Box<dyn Write + Send>,
    /// The file now, and its name then.
    unfinished: Option<(Partial, PathBuf)>,
}

impl Sink {
    /// Ends what was written, and gives the file its name.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        let Self { mut out, unfinished } = self;
        out.flush()?;
        drop(out);
        let Some((partial, path)) = unfinished else { return Ok(()) };
        partial.rename_to(&path).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// What a path names.
enum Destination {
    /// A file, or none yet: its path with links followed, and the permissions of the one that is there.
    File { path: PathBuf, before: Option<fs::Permissions> },
    /// A device or a pipe.
    Stream,
}

impl Destination {
    fn of(path: &Path) -> io::Result<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            Ok(found) if found.is_file() => {
                // One that may not be written is not replaced either.
                File::options().append(true).open(path)?;
                Ok(Self::File { path: fs::canonicalize(path)?, before: Some(found.permissions()) })
            }
            Ok(_) => Ok(Self::Stream),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A link to nothing yet names the file that is to be.
                let path = fs::read_link(path).map_or_else(
                    |_| path.to_owned(),
                    |to| path.parent().map_or_else(|| to.clone(), |parent| parent.join(&to)),
                );
                Ok(Self::File { path, before: None })
            }
            Err(error) => Err(error),
        }
    }
}

/// Stdout.
///
/// # Errors
/// When it was closed before the process began: what is written would vanish.
pub(super) fn stdout() -> io::Result<io::Stdout> {
    if CLOSED.load(Ordering::Relaxed) {
        return Err(io::Error::other("stdout is closed, and nobody would read the result: use -o FILE"));
    }
    Ok(io::stdout())
}
