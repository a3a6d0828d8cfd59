//! Results on a screen: what is taller than it goes through a pager.

use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines of the screen that a result leaves free for the footer and the next prompt.
const SPARED: usize = 2;
/// The pager, if the user names none.
const USUAL: &str = "less";
/// What makes `less` show colours, cut long lines instead of folding frames, and leave the result on the screen.
const LESS: &str = "RSX";
/// How often is looked whether the pager is still there.
const LOOK: Duration = Duration::from_millis(15);

/// How results reach a screen, shared by those who write them and who can interrupt them.
#[derive(Debug, Clone, Default)]
pub(super) struct Pager {
    /// That of the work that is done now: what was given up before cannot reach it.
    state: Arc<Mutex<Arc<State>>>,
}

#[derive(Debug, Default)]
struct State {
    /// The pager's process, while it has the screen and the keyboard.
    child: Mutex<Option<Child>>,
    /// Whether there was one.
    paged: AtomicBool,
    cancelled: AtomicBool,
    /// How long its user read on when everything was written.
    read_on: Mutex<Duration>,
}

impl State {
    /// Whether the pager has the screen and the keyboard; one that has ended has not.
    fn is_shown(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        if !runs {
            *child = None;
        }
        runs
    }
}

impl Pager {
    fn now(&self) -> Arc<State> {
        Arc::clone(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a pager has the screen and the keyboard, so that Ctrl-C is meant for it.
    pub(super) fn is_shown(&self) -> bool {
        self.now().is_shown()
    }

    /// Whether a pager was shown, and its user has left it.
    pub(super) fn was_left(&self) -> bool {
        let state = self.now();
        state.paged.load(Ordering::SeqCst) && !state.is_shown()
    }

    /// How long the user of the pager read on when everything was written.
    pub(super) fn read_on(&self) -> Duration {
        *self.now().read_on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that what is being written is not wanted any more.
    pub(super) fn cancel(&self) {
        self.now().cancelled.store(true, Ordering::SeqCst);
    }

    /// Says that something new is about to be written.
    pub(super) fn renew(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }

    /// Begins a result.
    pub(super) fn open(&self) -> Paged {
        let (columns, rows) = terminal_size::terminal_size().map_or((80, 24), |(w, h)| (w.0.max(1), h.0.max(1)));
        Paged {
            state: self.now(),
            columns: usize::from(columns),
            room: usize::from(rows).saturating_sub(SPARED).max(1),
            lines: 0,
            column: 0,
            in_escape: false,
            sink: Sink::Held(Vec::new()),
        }
    }
}

/// One result on its way to the screen: held until it is known whether it fits, then shown, or given to a pager.
///
/// A pager that its user leaves early is a closed pipe for the writer. Dropping waits until the user leaves.
#[derive(Debug)]
pub(super) struct Paged {
    state: Arc<State>,
    columns: usize,
    room: usize,
    lines: usize,
    column: usize,
    in_escape: bool,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Held(Vec<u8>),
    Pager(ChildStdin),
    Screen,
}

impl Paged {
    /// Counts the lines that the bytes take on the screen.
    fn measure(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match byte {
                b'\n' => (self.lines, self.column) = (self.lines + 1, 0),
                0x1b => self.in_escape = true,
                _ if self.in_escape => self.in_escape = !byte.is_ascii_alphabetic(),
                // The bytes behind the first of a character take no room.
                0x80..=0xbf => {}
                _ => {
                    self.column += 1;
                    if self.column > self.columns {
                        (self.lines, self.column) = (self.lines + 1, 1);
                    }
                }
            }
        }
    }

    /// Starts the pager with what is held; without one, everything goes to the screen.
    fn start(&mut self, held: &[u8]) -> io::Result<()> {
        let named = std::env::var("PAGER").ok().filter(|named| !named.trim().is_empty());
        let mut command = Command::new("sh");
        command.arg("-c").arg(named.as_deref().unwrap_or(USUAL)).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", LESS);
        }
        match command.spawn() {
            Ok(mut child) => {
                self.sink = child.stdin.take().map_or(Sink::Screen, Sink::Pager);
                *self.state.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
                self.state.paged.store(true, Ordering::SeqCst);
            }
            Err(_) => self.sink = Sink::Screen,
        }
        self.pass_on(held)
    }

    fn pass_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.sink {
            Sink::Held(held) => held.extend_from_slice(bytes),
            Sink::Screen => io::stdout().write_all(bytes)?,
            Sink::Pager(stdin) => stdin.write_all(bytes)?,
        }
        Ok(())
    }
}

impl Write for Paged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.state.cancelled.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if let Sink::Held(held) = &mut self.sink {
            let mut held = std::mem::take(held);
            held.extend_from_slice(bytes);
            self.measure(bytes);
            if self.lines > self.room {
                self.start(&held)?;
            } else {
                self.sink = Sink::Held(held);
            }
        } else {
            self.pass_on(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Pager(stdin) => stdin.flush(),
            Sink::Screen => io::stdout().flush(),
            _ => Ok(()),
        }
    }
}

impl Drop for Paged {
    fn drop(&mut self) {
        let cancelled = self.state.cancelled.load(Ordering::SeqCst);
        match std::mem::replace(&mut self.sink, Sink::Screen) {
            Sink::Held(held) if !cancelled => {
                let mut stdout = io::stdout();
                // A screen that is gone needs nothing.
                drop(stdout.write_all(&held).and_then(|()| stdout.flush()));
            }
            Sink::Pager(stdin) => {
                drop(stdin);
                let began = Instant::now();
                while self.state.is_shown() {
                    std::thread::sleep(LOOK);
                }
                *self.state.read_on.lock().unwrap_or_else(PoisonError::into_inner) += began.elapsed();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_a_screen_shows_them() {
        let mut paged = Pager::default().open();
        paged.columns = 10;
        paged.measure("äöü\n\x1b[1;34mab\x1b[0m\n".as_bytes());
        assert_eq!((paged.lines, paged.column), (2, 0));
        paged.measure(b"0123456789");
        assert_eq!(paged.lines, 2);
        paged.measure(b"0");
        assert_eq!((paged.lines, paged.column), (3, 1));
        paged.sink = Sink::Screen;
    }
}
