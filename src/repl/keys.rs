//! Keys of the shell's own, and what they say of the line that they end.
//!
//! A line editor that is left for Ctrl-C loses what was typed behind it and read already. So Ctrl-C ends the line as Enter
//! does, and is told apart here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustyline::{
    Cmd, ConditionalEventHandler, Editor, Event, EventContext, EventHandler, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::helper::ShellHelper;

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It was entered.
    Entered,
    /// It was thrown away, with all that was begun.
    Cancelled,
    /// Its user wants to go back to the lines before it.
    Back,
}

/// What keys said last.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<State>);

#[derive(Debug, Default)]
struct State {
    ending: AtomicU8,
    begun: AtomicBool,
}

impl Keys {
    /// Binds the shell's keys of an editor.
    pub fn bind<H: rustyline::history::History>(editor: &mut Editor<ShellHelper, H>) -> Self {
        let keys = Self::default();
        let enter = [KeyEvent(KeyCode::Enter, Modifiers::NONE), KeyEvent::ctrl('M'), KeyEvent::ctrl('J')];
        let up = KeyEvent(KeyCode::Up, Modifiers::NONE);
        let all = enter.map(|key| (key, Ending::Entered));
        for (key, ending) in all.into_iter().chain([(KeyEvent::ctrl('C'), Ending::Cancelled), (up, Ending::Back)]) {
            let handler = Handler { keys: keys.clone(), ending };
            editor.bind_sequence(key, EventHandler::Conditional(Box::new(handler)));
        }
        keys
    }

    /// A line begins; `begun`: there are lines before it.
    pub fn begin(&self, begun: bool) {
        self.0.ending.store(Ending::Entered as u8, Ordering::SeqCst);
        self.0.begun.store(begun, Ordering::SeqCst);
    }

    /// How the line ended that was read.
    pub fn ending(&self) -> Ending {
        let ending = self.0.ending.load(Ordering::SeqCst);
        [Ending::Cancelled, Ending::Back].into_iter().find(|&known| known as u8 == ending).unwrap_or(Ending::Entered)
    }
}

struct Handler {
    keys: Keys,
    ending: Ending,
}

impl ConditionalEventHandler for Handler {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let state = &self.keys.0;
        let is_first_line = || !context.line()[..context.pos()].contains('\n');
        if self.ending == Ending::Back && !(state.begun.load(Ordering::SeqCst) && is_first_line()) {
            return None;
        }
        state.ending.store(self.ending as u8, Ordering::SeqCst);
        // Enter does what it always does.
        (self.ending != Ending::Entered).then_some(Cmd::AcceptLine)
    }
}
