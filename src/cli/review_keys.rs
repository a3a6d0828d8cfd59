//! What is typed at a trace that is reviewed: a key where there is a terminal, else a line.

use std::io::{BufRead, ErrorKind, IsTerminal, Write};

use console::{Key, Term};

use super::failure::Failure;
use spanql_output::escape_terminal;

/// What was typed at a trace.
#[derive(Debug)]
pub(super) enum Said {
    Label(String, Option<String>),
    Note(String),
    Skip,
    Undo,
    Quit,
    Unknown,
}

/// Keys and labels: the first letter of each, or what stands before an equals sign.
pub(super) fn labels(given: &[String]) -> Result<Vec<(char, String)>, Failure> {
    let mut labels: Vec<(char, String)> = Vec::new();
    for text in given {
        let (key, label) = match text.split_once('=') {
            Some((key, label)) => (key, label),
            None => (text.as_str(), text.as_str()),
        };
        let key = key.chars().next().filter(|_| !label.is_empty());
        let Some(key) = key.map(|key| key.to_ascii_lowercase()) else {
            return Err(Failure::Usage(format!("--label {text}: write a label, or KEY=LABEL")));
        };
        if "nsuq".contains(key) || labels.iter().any(|(known, _)| *known == key) {
            return Err(Failure::Usage(format!("--label {text}: the key {key} is taken: write KEY={label}")));
        }
        labels.push((key, label.to_owned()));
    }
    Ok(labels)
}

/// Asks what is to be said of a trace.
pub(super) fn ask(labels: &[(char, String)], number: usize, of: usize) -> anyhow::Result<Said> {
    let keys: Vec<String> = labels.iter().map(|(key, label)| format!("[{key}] {}", escape_terminal(label))).collect();
    let keys = keys.join("  ");
    let place = format!("{number}/{of}  {keys}");
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        return by_key(labels, &place, &keys);
    }
    prompt(&format!("{place}  [n]ote TEXT  [s]kip  [u]ndo  [q]uit: "))?;
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        return Ok(Said::Quit);
    }
    Ok(read(line.trim(), labels))
}

fn prompt(text: &str) -> std::io::Result<()> {
    let mut stderr = std::io::stderr();
    write!(stderr, "{text}")?;
    stderr.flush()
}

/// Takes one key, without Enter behind it; a note is a line, to which a label or Enter belongs.
fn by_key(labels: &[(char, String)], place: &str, keys: &str) -> anyhow::Result<Said> {
    let terminal = Term::stderr();
    prompt(&format!("{place}  [n]ote  [s]kip  [u]ndo  [q]uit: "))?;
    let mut note: Option<String> = None;
    loop {
        let key = match terminal.read_key_raw() {
            Ok(Key::Enter) => '\n',
            Ok(Key::Char(key)) => key.to_ascii_lowercase(),
            Ok(Key::CtrlC | Key::Escape) => 'q',
            Ok(_) => '\0',
            // Nobody is there any more.
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotConnected) => 'q',
            Err(error) => return Err(error.into()),
        };
        if key == 'n' {
            prompt("\r\nnote: ")?;
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            note = Some(line.trim().to_owned()).filter(|text| !text.is_empty()).or(note);
            prompt(&format!("{keys}  [Enter] the note alone: "))?;
            continue;
        }
        let label = labels.iter().find(|(known, _)| *known == key).map(|(_, label)| label);
        prompt(&format!("{}\r\n", label.map(|label| escape_terminal(label)).unwrap_or_default()))?;
        return Ok(match (key, label, note) {
            (_, Some(label), note) => Said::Label(label.clone(), note),
            ('u', ..) => Said::Undo,
            // What was typed is not thrown away.
            ('s' | '\n' | 'q', None, Some(note)) => Said::Note(note),
            ('s', ..) => Said::Skip,
            ('q', ..) => Said::Quit,
            _ => Said::Unknown,
        });
    }
}

/// Reads a line: a key, behind which a text may stand.
fn read(line: &str, labels: &[(char, String)]) -> Said {
    let mut chars = line.chars();
    let Some(key) = chars.next().map(|key| key.to_ascii_lowercase()) else { return Said::Unknown };
    let rest = chars.as_str();
    // A word is no key with a text behind it.
    if rest.chars().next().is_some_and(|next| !next.is_whitespace()) {
        return Said::Unknown;
    }
    let text = Some(rest.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
    match (key, text) {
        ('s', None) => Said::Skip,
        ('u', None) => Said::Undo,
        ('q', None) => Said::Quit,
        ('n', Some(text)) => Said::Note(text),
        (key, text) => match labels.iter().find(|(known, _)| *known == key) {
            Some((_, label)) => Said::Label(label.clone(), text),
            None => Said::Unknown,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Said, labels, read};

    #[test]
    fn keys_stand_for_labels() {
        let labels = labels(&["right".to_owned(), "x=not right".to_owned()]).unwrap();
        assert!(matches!(read("r", &labels), Said::Label(label, None) if label == "right"));
        assert!(
            matches!(read("X  made it up", &labels), Said::Label(label, Some(text)) if label == "not right" && text == "made it up")
        );
        assert!(matches!(read("n look here", &labels), Said::Note(text) if text == "look here"));
        assert!(matches!(read("u", &labels), Said::Undo));
        for unknown in ["", "y", "right", "n", "quit"] {
            assert!(matches!(read(unknown, &labels), Said::Unknown), "{unknown}");
        }
        for wrong in [["skip"], ["=x"], ["k="]] {
            assert!(super::labels(&wrong.map(str::to_owned)).is_err(), "{wrong:?}");
        }
        assert!(super::labels(&["right".to_owned(), "rude".to_owned()]).is_err());
    }
}
