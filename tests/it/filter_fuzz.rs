//! Every reader of filters against mutated text: no panic, no long thinking, and what was read can be written and read
//! again.
//!
//! Each language gets a few seconds; `SPANQL_FUZZ_SECONDS=300` gives it more, and `SPANQL_FUZZ_SEED` another start.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use super::fuzz::targets::filters::{read_arize, read_opik, read_pattern, read_phoenix};
use super::support::Random;

/// The longest that one text may take, in a build without optimisation on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes that a mutated text has at most; beyond the limit on filters nothing is read.
const MAX: usize = 70 << 10;

const ARIZE: &[&str] = &[
    "status_code = 'ERROR' AND latency_ms > 1000",
    "NOT (name = 'a' OR name IN ('b', 'c')) AND parent_id IS NOT NULL",
    "attributes.input.value NOT CONTAINS '100%_' or eval.\"Answer Relevance\".score BETWEEN 0.1 AND -1e-3",
    "\"attributes.llm.model_name\" NOT ILIKE 'gpt%' AND start_time >= '2026-11-01T00:00:00.5+02:00'",
    "attributes.llm.input_messages.roles CONTAINS 'it''s' AND attributes.llm.input_messages.0.message.role = null",
    "attributes.exception.escaped AND metadata.tier != null AND 5 < total_tokens AND kind <> 'é\u{202e}'",
];
const OPIK: &[&str] = &[
    "name = \"chat\" AND duration > 1.5 and tags contains \"a\"\"b\"",
    "metadata.\"a.b\" >= \"5\" AND feedback_scores.Quality is_not_empty AND usage.total_tokens<10",
    "type in (\"llm\", \"tool\") AND error_info is_empty AND start_time >= \"2026-11-01T00:00:00Z\"",
    "input_json.\"$.a[0]['k']\" not_contains \"%_\" AND output_json.'x y' ends_with \"z\"",
    "[{\"field\":\"name\",\"key\":\"\",\"operator\":\"=\",\"value\":\"x\"},{\"field\":\"tags\",\"operator\":\"is_empty\"}]",
];
const PHOENIX: &[&str] = &[
    "span_kind=LLM&span_kind=tool&status_code=error&name=a%20b+c",
    "attribute=llm.model_name:gpt-4o&attribute=user.id:%2212%22&parent_id=null",
    "{\"span_kind\":[\"LLM\"],\"attribute\":\"metadata.n:5\",\"parent_id\":\"x\",\"trace_id\":[\"t\"]}",
];
const PATTERNS: &[&str] = &[
    "{kind = 'AGENT'} >> {kind = 'TOOL' AND latency_ms > 1000}",
    "{ } > {name = '}'} << {\"attributes.input.value\" CONTAINS '{ >> '} ~ {}",
    "{name IN ('a', 'b') OR parent_id = null} !>> { status_code = 'ERROR' }",
    "{eval.\"Answer } Relevance\".score < 0.5}!~{ -- all\n}",
];
const PIECES: &[&str] = &[
    "{}",
    "} >> {",
    " !>> ",
    "~",
    "!",
    "<",
    "-->",
    "(",
    ")",
    "'",
    "\"",
    "''",
    "\"\"",
    ",",
    ".",
    "=",
    "!=",
    " AND ",
    " OR ",
    " NOT ",
    " IN (",
    " IS NULL",
    "%",
    "_",
    "&",
    ":",
    "[",
    "]",
    "{",
    "}",
    "\0",
    "\n",
    "\u{feff}",
    "ﬀ",
    "İ",
    "1e308",
    "-",
    "--",
    "/*",
    "9223372036854775808",
    "null",
    "true",
    "$",
    "\\",
    "\\u0000",
    "is_empty",
    "contains",
    "attribute=",
    "key",
    "[0]",
    "..",
    "'2026-01-01'",
    "99999-01-01T00:00:00Z",
    "NaN",
    "٣",
];

fn mutated(random: &mut Random, corpus: &[&str]) -> String {
    let mut text = corpus[random.below(corpus.len())].to_owned();
    for _ in 0..=random.below(6) {
        let chars: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let at = chars[random.below(chars.len())];
        let to = chars[random.below(chars.len())];
        let (from, to) = (at.min(to), at.max(to));
        match random.below(7) {
            0 => text.insert_str(at, PIECES[random.below(PIECES.len())]),
            1 => text.replace_range(from..text.floor_char_boundary(to.min(from + 8)).max(from), ""),
            2 => text.truncate(at),
            3 => {
                let piece = text[from..to].to_owned();
                text.insert_str(at, &piece);
            }
            4 => {
                let other = corpus[random.below(corpus.len())];
                text.insert_str(at, other);
            }
            5 => {
                let piece = PIECES[random.below(PIECES.len())];
                let times = [3, 60, 1_100, 20_000][random.below(4)];
                text.insert_str(at, &piece.repeat(times.min(MAX / piece.len())));
            }
            _ => {
                let code = char::from_u32(random.below(0x11_0000) as u32).unwrap_or('\u{fffd}');
                text.insert(at, code);
            }
        }
        // Cut where a character begins.
        while text.len() > MAX || !text.is_char_boundary(text.len()) {
            let end = text.floor_char_boundary(MAX.min(text.len() - 1));
            text.truncate(end);
        }
    }
    text
}

fn fuzz(corpus: &[&str], read: fn(&str)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("SPANQL_FUZZ_SECONDS").unwrap_or(4);
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let seed = number("SPANQL_FUZZ_SEED").unwrap_or_else(clock);
    let mut random = Random(seed);
    let (began, mut count, mut longest) = (Instant::now(), 0_u64, Duration::ZERO);
    for text in corpus {
        read(text);
    }
    while began.elapsed() < Duration::from_secs(seconds) {
        let text = mutated(&mut random, corpus);
        let start = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| read(&text))).is_err() {
            panic!("SPANQL_FUZZ_SEED={seed}, text {count}: {:?}", text.chars().take(2_000).collect::<String>());
        }
        longest = longest.max(start.elapsed());
        assert!(
            start.elapsed() < LONGEST,
            "{:?} for {:?}",
            start.elapsed(),
            text.chars().take(500).collect::<String>()
        );
        count += 1;
    }
    println!("{count} texts, the longest took {longest:?}");
}

/// What was found before: it took too long, or was shown at full length.
fn soon(read: fn(&str), text: &str) {
    let began = Instant::now();
    read(text);
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
}

#[test]
fn arize_text() {
    soon(read_arize, &format!("{} = 1 AND nmae = 2", "é".repeat(20_000)));
    fuzz(ARIZE, read_arize);
}

#[test]
fn opik_text_and_lists() {
    soon(read_opik, &format!("input.\"{}\" = \"x\"", "\"\"".repeat(20_000)));
    fuzz(OPIK, read_opik);
}

#[test]
fn phoenix_parameters() {
    soon(read_phoenix, &format!("attribute={}k:x", "\u{202e}.".repeat(15_000)));
    fuzz(PHOENIX, read_phoenix);
}

#[test]
fn patterns_of_structure() {
    soon(read_pattern, &format!("{{}} > {{{} = 1}}", "é".repeat(20_000)));
    soon(read_pattern, &format!("{{}} {} {{}}", "é".repeat(20_000)));
    fuzz(PATTERNS, read_pattern);
}
