use super::super::fill::{Fill, Read, Source, Spans, Words};
use super::super::state::FAMILY;
use super::super::table::TABLE;

/// The lines of `docs/conventions.md` that show the table.
fn lines() -> Vec<String> {
    let mut lines: Vec<String> = TABLE.iter().map(line).collect();
    lines.extend(TABLE.iter().flat_map(|fill| fill.sources).filter_map(words));
    lines
}

fn line(fill: &Fill) -> String {
    let mut column = format!("`{}`", fill.column);
    column.push_str(match fill.spans {
        Spans::All => "",
        Spans::NotChains => ", not of CHAIN",
        Spans::Calls => ", of calls of models",
        Spans::Agents => ", of AGENT",
        Spans::Tools => ", of TOOL",
        Spans::Embeddings => ", of EMBEDDING",
    });
    let sources: Vec<String> = fill.sources.iter().map(source).collect();
    format!("| {column} | {} |", sources.join(", "))
}

fn source(source: &Source) -> String {
    let name = source.name;
    let bare = |name: &str| name.strip_prefix(FAMILY).unwrap_or(name).to_owned();
    match source.read {
        Read::Sum(first, second) => format!("`{}` + `{}`", bare(first), bare(second)),
        Read::Is(word) => format!("{word} with `{name}`"),
        Read::At(paths) => {
            format!("`{name}`: {}", paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" or "))
        }
        Read::Settings(_) => format!("`{name}.*`"),
        Read::IndexedMessages | Read::IndexedTools => format!("`{name}.0.*`"),
        Read::Filled => format!("the messages filled in `{}`", bare(name)),
        Read::MimeType => format!("`application/json` where `{}` was filled with JSON", bare(name)),
        Read::Chat(after) if !after.is_empty() => format!("`{after}` and `{name}`"),
        Read::Answer(calls) => format!("`{name}` and `{calls}`"),
        Read::Tools(path) if !path.is_empty() => format!("`{name}`: `{path}`"),
        Read::Asked | Read::AskedEvents => format!("`{name}` up to the last of a user"),
        Read::EventsIn | Read::EventsOut if name.contains(' ') => name.to_owned(),
        _ => format!("`{name}`"),
    }
}

/// The words of a source, by what they become.
fn words(source: &Source) -> Option<String> {
    let Read::Words(words) = source.read else { return None };
    let mut becomes: Vec<&str> = vec![];
    for (_, to) in words.iter().filter(|(_, to)| !to.is_empty()) {
        if !becomes.contains(to) {
            becomes.push(to);
        }
    }
    let from = |words: Words, to: &str| {
        let words = words.iter().filter(|(_, other)| *other == to).map(|(word, _)| format!("`{word}`"));
        words.collect::<Vec<_>>().join(", ")
    };
    let groups: Vec<String> = becomes.into_iter().map(|to| format!("{} → {to}", from(words, to))).collect();
    Some(format!("| `{}` | {} |", source.name, groups.join("; ")))
}

#[test]
fn the_page_shows_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conventions.md");
    let page = std::fs::read_to_string(path).unwrap();
    let headings = ["| column | from |", "| name | words |", "|---|---|"];
    let rows = page.lines().filter(|line| line.starts_with('|') && !headings.contains(line));
    let wanted = lines();
    assert!(rows.eq(wanted.iter()), "the tables of docs/conventions.md are to be\n{}", wanted.join("\n"));
}
