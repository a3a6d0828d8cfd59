//! A real pseudo-terminal with the shell in it: keys go in, and what is on the screen is looked at.

use std::io::{ErrorKind, Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long something may take to appear: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often the screen is looked at.
const EVERY: Duration = Duration::from_millis(20);

pub(crate) const ENTER: &str = "\r";
pub(crate) const TAB: &str = "\t";
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_D: &str = "\x04";
pub(crate) const UP: &str = "\x1b[A";

pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn some(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

impl Terminal {
    /// Starts the shell in a directory, on a screen of this size, with these variables and no others of the caller's.
    pub(crate) fn start(
        dir: &Path,
        (columns, rows): (u16, u16),
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_spanql"));
        command.args(arguments);
        command.cwd(dir);
        command.env_clear();
        command.env("PATH", std::env::var("PATH").unwrap_or_default());
        command.env("HOME", dir.join("home"));
        command.env("TERM", "xterm-256color");
        command.env("LC_ALL", "C.UTF-8");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let seen = Arc::new(Mutex::new(Seen {
            screen: vt100::Parser::new(some(rows), some(columns), 1_000),
            bytes: Vec::new(),
        }));
        let mut output = pair.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = match output.read(&mut bytes) {
                    Ok(read @ 1..) => read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    // The last process that held the terminal has ended.
                    Ok(0) | Err(_) => return,
                };
                let mut seen = shown.lock().unwrap();
                seen.screen.process(&bytes[..read]);
                seen.bytes.extend_from_slice(&bytes[..read]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { master: pair.master, keys, child, seen }
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types a line and waits until the next prompt; gives the screen.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        let before = self.prompts();
        self.press(line);
        self.press(ENTER);
        self.wait_for(&format!("the prompt behind {line}"), |seen| prompts(&seen.bytes) > before);
        // The prompt is drawn in pieces.
        std::thread::sleep(EVERY * 2);
        self.screen()
    }

    /// Clears what is typed, and waits for the next prompt.
    pub(crate) fn clear(&mut self) {
        let before = self.prompts();
        self.press(CTRL_C);
        self.wait_for("the prompt behind a cleared line", |seen| prompts(&seen.bytes) > before);
    }

    /// How often the prompt was drawn at the begin of an input.
    fn prompts(&self) -> usize {
        prompts(&self.seen.lock().unwrap().bytes)
    }

    fn wait_for(&self, what: &str, is_there: impl Fn(&Seen) -> bool) {
        let began = Instant::now();
        while !is_there(&self.seen.lock().unwrap()) {
            assert!(began.elapsed() < PATIENCE, "{what} does not come:\n{}", self.screen());
            std::thread::sleep(EVERY);
        }
    }

    /// Waits until a text is on the screen; gives the screen.
    pub(crate) fn wait(&self, text: &str) -> String {
        self.wait_for(text, |seen| seen.screen.screen().contents().contains(text));
        self.screen()
    }

    /// Waits until a text was written so many times.
    pub(crate) fn wait_count(&self, text: &str, count: usize) {
        let times = |seen: &Seen| String::from_utf8_lossy(&seen.bytes).matches(text).count();
        self.wait_for(&format!("{text} for the {count}. time"), |seen| times(seen) >= count);
    }

    /// Presses Ctrl-C until a text is on the screen.
    pub(crate) fn interrupt(&mut self, text: &str) {
        let began = Instant::now();
        let before = self.screen().matches(text).count();
        while self.screen().matches(text).count() == before {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the shell has ended with {ended:?}:\n{}", self.screen());
            assert!(began.elapsed() < PATIENCE, "{text} does not come:\n{}", self.screen());
            self.press(CTRL_C);
            std::thread::sleep(Duration::from_millis(700));
        }
    }

    /// Sends what Ctrl-C sends, wherever the shell is, and returns when it was taken.
    pub(crate) fn signal(&self) {
        let id = self.child.process_id().expect("a process").to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        // A process that gets no processor takes it later than what is typed behind it.
        let pending = || {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).unwrap_or("0").trim();
            u64::from_str_radix(mask, 16).unwrap_or(0) & (1 << (libc::SIGINT - 1)) != 0
        };
        while pending() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until the shell is busy, or is not.
    pub(crate) fn wait_idle(&self, idle: bool) {
        if !cfg!(target_os = "linux") {
            return;
        }
        let began = Instant::now();
        let mut before = self.ticks();
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = self.ticks();
            // Half a second is fifty ticks of one core.
            if (now - before < 5) == idle {
                return;
            }
            before = now;
            assert!(
                began.elapsed() < PATIENCE,
                "the shell is not {}:\n{}",
                if idle { "idle" } else { "busy" },
                self.screen()
            );
        }
    }

    /// Ticks of processors that the shell has used.
    fn ticks(&self) -> u64 {
        let id = self.child.process_id().expect("a process");
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else { return 0 };
        let behind_name = stat.rsplit(") ").next().unwrap_or_default();
        behind_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
    }

    /// Waits until the line that is typed is this one.
    pub(crate) fn wait_line(&self, text: &str) {
        let is_there = |seen: &Seen| {
            let contents = seen.screen.screen().contents();
            let last = contents.rfind("spanql").map(|at| &contents[at..]).unwrap_or_default().trim_end().to_owned();
            last == text
        };
        self.wait_for(&format!("the line {text:?}"), is_there);
    }

    /// Presses Tab until the line that is typed is this one: what can be completed is gathered aside.
    pub(crate) fn complete_to(&mut self, text: &str) {
        let began = Instant::now();
        loop {
            self.press(TAB);
            std::thread::sleep(EVERY * 5);
            let contents = self.screen();
            if contents.rfind("spanql").is_some_and(|at| contents[at..].trim_end() == text) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{text:?} is not completed:\n{contents}");
        }
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        let contents = self.seen.lock().unwrap().screen.screen().contents();
        contents.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// Everything that was written to the terminal.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.master.resize(size(columns, rows)).unwrap();
        self.seen.lock().unwrap().screen.screen_mut().set_size(some(rows), some(columns));
    }

    /// Waits until the shell has ended; gives its exit code.
    pub(crate) fn ended(mut self) -> u32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(began.elapsed() < PATIENCE, "the shell does not end:\n{}", self.screen());
            std::thread::sleep(EVERY);
        }
    }
}

/// The line editor asks for pasted text to be marked each time it begins to read.
fn prompts(bytes: &[u8]) -> usize {
    let begins = b"\x1b[?2004h";
    bytes.windows(begins.len()).filter(|window| window == begins).count()
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        drop(self.child.kill());
    }
}
