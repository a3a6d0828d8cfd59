//! `spanql skill`: how to use spanql, for coding agents.

use std::io::Write as _;

/// One page, with front matter as files of skills have it.
const SKILL: &str = include_str!("../../SKILL.md");

pub(super) fn run() -> anyhow::Result<()> {
    Ok(super::target::stdout()?.write_all(SKILL.as_bytes())?)
}
