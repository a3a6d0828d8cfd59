//! `\annotate` and `\delete`: commands of the command line about the rows that were shown last.

use anyhow::{anyhow, bail};

use crate::cli::failure::Failure;
use crate::cli::shown::Ids;

/// The words of `spans annotate`: `NAME LABEL`, `NAME SCORE` or `NAME LABEL TEXT…`, or its own options.
pub(super) fn annotate(shown: Ids, rest: &str) -> anyhow::Result<Vec<String>> {
    let typed = cut(rest)?;
    let (grain, ids) = named(shown)?;
    let mut words: Vec<String> = ["spans", "annotate", "--grain", grain].map(str::to_owned).to_vec();
    match typed.as_slice() {
        [first, ..] if first.starts_with("--") => words.extend(typed),
        [name, said, text @ ..] => {
            let part = if said.parse::<f64>().is_ok() { "--score" } else { "--label" };
            words.extend([format!("--name={name}"), format!("{part}={said}")]);
            if !text.is_empty() {
                words.push(format!("--text={}", text.join(" ")));
            }
        }
        _ => return Err(Failure::Usage("write \\annotate NAME LABEL|SCORE [TEXT]".into()).into()),
    }
    words.extend(ids.into_iter().map(|id| format!("--id={id}")));
    Ok(words)
}

/// The words of `spans delete`.
pub(super) fn delete(shown: Ids, rest: &str) -> anyhow::Result<Vec<String>> {
    let typed = cut(rest)?;
    let (grain, ids) = named(shown)?;
    if grain != "span" {
        bail!("the rows shown last name no spans: a column span_id says which to delete");
    }
    let ids = ids.into_iter().map(|id| format!("--span-id={id}"));
    Ok(["spans", "delete"].map(str::to_owned).into_iter().chain(typed).chain(ids).collect())
}

fn cut(rest: &str) -> anyhow::Result<Vec<String>> {
    shlex::split(rest).ok_or_else(|| anyhow!(Failure::Usage("a quote is not closed".into())))
}

fn named(shown: Ids) -> anyhow::Result<(&'static str, Vec<String>)> {
    let Ids { grain, ids, more } = shown;
    let Some(grain) = grain.filter(|_| !ids.is_empty()) else {
        bail!("no rows were shown that name spans: ask for a column span_id, trace_id or session_id first");
    };
    if more {
        bail!("the rows shown last name more {grain}s than are kept: `spans annotate --query` takes them all");
    }
    Ok((grain, ids))
}

#[cfg(test)]
mod tests {
    use super::{annotate, delete};
    use crate::cli::shown::Ids;

    fn shown(grain: Option<&'static str>) -> Ids {
        Ids { grain, ids: vec!["a".into()], more: false }
    }

    #[test]
    fn what_is_typed_becomes_options() {
        let words = |rest: &str| annotate(shown(Some("span")), rest).map(|words| words[4..].join("|"));
        assert_eq!(words("Q wrong").unwrap(), "--name=Q|--label=wrong|--id=a");
        assert_eq!(words("'Q 2' -0.5 made it up").unwrap(), "--name=Q 2|--score=-0.5|--text=made it up|--id=a");
        assert_eq!(words("--name Q --text x").unwrap(), "--name|Q|--text|x|--id=a");
        assert!(words("Q").is_err() && words("Q 'x").is_err());
        assert!(annotate(shown(None), "Q x").unwrap_err().to_string().contains("span_id"));
        assert_eq!(delete(shown(Some("span")), "--yes").unwrap().join(" "), "spans delete --yes --span-id=a");
        assert!(delete(shown(Some("trace")), "").is_err());
    }
}
