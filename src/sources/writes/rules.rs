//! What names, labels, texts and times may be: the rules of the vendor's own client, which a store keeps too.

use super::judgement::{Judgement, Kind};

/// Characters of a label,
const LABEL: usize = 100;
/// of an explanation, a text or a note,
const TEXT: usize = 10_000;
/// and of whoever wrote it.
const AUTHOR: usize = 100;

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Those of Arize, which the store keeps too, so that what is in it can be sent on.
    Arize,
    /// None but that there is a name: what the remote refuses it will say.
    Any,
}

impl Rules {
    /// Why a name cannot be one.
    pub fn name(self, name: &str) -> Result<(), String> {
        if name.trim().is_empty() {
            return Err("the name is empty".to_owned());
        }
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c.is_ascii_whitespace();
        match (self, name.chars().find(|c| !fits(*c))) {
            (Self::Arize, Some(other)) => Err(format!(
                "the name {name:?} has {other:?} in it: names have letters, digits, underscores and blanks, and others are \
                 dropped without a word at Arize"
            )),
            _ => Ok(()),
        }
    }

    /// Why a judgement cannot be one; `now` is in milliseconds since the epoch.
    pub fn judgement(self, judgement: &Judgement, now: i64) -> Result<(), String> {
        self.name(&judgement.name)?;
        if self == Self::Any {
            return Ok(());
        }
        let Judgement { name, label, score, text, updated_by, updated_at, kind, .. } = judgement;
        let what = kind.text_part();
        if judgement.is_note() && (label.is_some() || score.is_some()) {
            return Err("notes have a text alone: name it otherwise, or leave label and score out".to_owned());
        }
        match label.as_deref().map(|label| label.chars().count()) {
            Some(0) => return Err(format!("the label of {name} is empty: leave it out instead")),
            Some(length) if length > LABEL => {
                return Err(format!("the label of {name} has {length} characters: a label has at most {LABEL}"));
            }
            _ => {}
        }
        match text.as_deref().map(|text| text.chars().count()) {
            Some(length) if length > TEXT => {
                return Err(format!("the {what} of {name} has {length} characters: it has at most {TEXT}"));
            }
            Some(_) if *kind == Kind::Evaluation && label.is_none() && score.is_none() => {
                return Err(format!("{name} has an {what} and neither a label nor a score, which it explains"));
            }
            _ => {}
        }
        if updated_by.as_deref().is_some_and(|by| by.chars().count() > AUTHOR) {
            return Err(format!("updated_by of {name} has more than {AUTHOR} characters"));
        }
        match updated_at {
            Some(at) if *at <= 0 => Err(format!("updated_at of {name} is {at}, and a time in milliseconds is above 0")),
            Some(at) if *at > now => Err(format!("updated_at of {name} lies in the future")),
            _ => Ok(()),
        }
    }
}
