//! Who comes when, and for what: the frame within which a trace happens.

use super::catalog::{LARGE, SMALL};
use super::random::{Random, mix};
use super::text::{Domain, RESEARCH, SUPPORT};

const SECOND: i64 = 1_000_000_000;

/// One of the two applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Project {
    Support,
    Research,
}

impl Project {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Support => "support-agent",
            Self::Research => "research-agent",
        }
    }

    pub(super) fn domain(self) -> &'static Domain {
        match self {
            Self::Support => &SUPPORT,
            Self::Research => &RESEARCH,
        }
    }
}

/// What happens in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scenario {
    /// A turn of a support conversation, with guardrails, retrieval and tools.
    Support,
    /// A research task that is split among agents, nested as deep as the number says.
    Research(u32),
    /// An agent that answers at once and calls no tool.
    Triage,
    /// A single call of a model.
    Completion,
    /// A job that embeds documents; no user.
    Indexing,
}

/// One conversation or job; its turns are traces.
#[derive(Debug, Clone)]
pub(super) struct Visit {
    pub(super) project: Project,
    pub(super) scenario: Scenario,
    /// Decides what is said, and names the session: no two visits share it.
    pub(super) seed: u64,
    /// Number of the user, below 400.
    pub(super) user: u64,
    pub(super) has_session: bool,
    /// Session and user stand on every span, not just on the root.
    pub(super) everywhere: bool,
    /// Parents repeat the usage of their children.
    pub(super) repeats_usage: bool,
    pub(super) turn: u32,
    pub(super) turns: u32,
    /// Index into [`LARGE`].
    pub(super) large: usize,
    /// Index into [`SMALL`].
    pub(super) small: usize,
    /// Version of the prompt template, from 0.
    pub(super) version: usize,
}

impl Visit {
    /// A new visitor after `progress` (0 to 1) of the time; `deep` asks for the deepest nesting.
    pub(super) fn new(seed: u64, random: &mut Random, progress: f64, deep: bool) -> Self {
        let project = if deep || random.chance(0.4) { Project::Research } else { Project::Support };
        let scenario = match (project, random.unit()) {
            _ if deep => Scenario::Research(4),
            (Project::Support, x) if x < 0.80 => Scenario::Support,
            (Project::Support, x) if x < 0.92 => Scenario::Triage,
            (Project::Research, x) if x < 0.62 => {
                let levels = random.unit();
                Scenario::Research([0.62, 0.83, 0.93, 0.98].iter().filter(|&&limit| levels > limit).count() as u32)
            }
            (Project::Research, x) if x < 0.72 => Scenario::Triage,
            (Project::Research, x) if x < 0.76 => Scenario::Indexing,
            _ => Scenario::Completion,
        };
        let has_session = match scenario {
            Scenario::Support => random.chance(0.85),
            Scenario::Research(_) | Scenario::Triage => random.chance(0.5),
            Scenario::Completion | Scenario::Indexing => false,
        };
        let turns = if has_session { 1 + random.below(random_turns(scenario)) as u32 } else { 1 };
        // New versions are rolled out over time, with some overlap.
        let version = ((progress * 3.0 + random.unit() * 1.2 - 0.6).max(0.0) as usize).min(2);
        // A few users come often.
        let user = random.below(400).min(random.below(400));
        Self {
            project,
            scenario,
            seed,
            user,
            has_session,
            everywhere: random.chance(0.5),
            repeats_usage: random.chance(0.35),
            turn: 0,
            turns,
            large: random.below(LARGE.len() as u64) as usize,
            small: random.below(SMALL.len() as u64) as usize,
            version,
        }
    }

    /// A single call of a model, to fill up to the wanted size.
    pub(super) fn single(seed: u64, random: &mut Random, progress: f64) -> Self {
        let visit = Self::new(seed, random, progress, false);
        Self { scenario: Scenario::Completion, has_session: false, turns: 1, ..visit }
    }

    /// Decides what is said at a turn.
    pub(super) fn turn_seed(&self, turn: u32) -> u64 {
        mix(self.seed ^ mix(u64::from(turn)))
    }

    /// Moves to the next turn, if there is one, and gives its start; a failed turn often ends the conversation.
    pub(super) fn next_turn(&mut self, random: &mut Random, end: i64, failed: bool) -> Option<i64> {
        self.turn += 1;
        if self.turn >= self.turns || (failed && random.chance(0.65)) {
            return None;
        }
        let back_later = random.chance(0.1);
        let seconds = if back_later { random.log_normal(7_200.0, 0.6) } else { random.log_normal(150.0, 1.1) };
        Some(end + (seconds.clamp(8.0, 40_000.0) * SECOND as f64) as i64 + random.below(SECOND as u64) as i64)
    }
}

fn random_turns(scenario: Scenario) -> u64 {
    if scenario == Scenario::Support { 8 } else { 4 }
}
