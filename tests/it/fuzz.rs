//! Every reader of what strangers write, against mutated seeds: no panic, no long thinking, and what `tests/fuzz` says must hold.
//!
//! Each target gets a little time; `SPANQL_FUZZ_SECONDS=300` gives it more, and `SPANQL_FUZZ_SEED` another start. An input that
//! fails is written to a file, and put among the seeds when its cause is gone.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::support::Random;

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, clippy::unwrap_used, reason = "also a crate of its own")]
pub(crate) mod targets;

/// The longest that one input may take, in a build without optimisation on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);
/// Bytes that a mutated input has at most.
const MAX: usize = 16 << 10;
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    ":",
    ",",
    "null",
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "9223372036854775808",
    "\0",
    "\r\n",
    "\u{feff}",
    "\u{202e}",
    "é",
    "''",
    ".",
    "..",
    "\"\"",
    ";",
    "\t",
    "|",
    "::",
    " AS ",
    "SELECT ",
    "attributes.",
    "[0]",
    "parent_id",
    "context.span_id",
    "2026-01-01T00:00:00Z",
    "0000000000000000",
    "ff",
    "\x7f",
    "=",
    "(",
    ")",
    "*",
    " IN ",
    "$x",
    "{{x}}",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(5) {
        let (a, b) = (random.below(bytes.len() + 1), random.below(bytes.len() + 1));
        let (from, to) = (a.min(b), a.max(b));
        match random.below(9) {
            0 if from < bytes.len() => bytes[from] ^= 1 << random.below(8),
            1 if from < bytes.len() => bytes[from] = random.below(256) as u8,
            2 => drop(bytes.drain(from..to.min(from + 12))),
            3 => bytes.truncate(to),
            4 => {
                let piece = bytes[from..to.min(from + 200)].to_vec();
                bytes.splice(b..b, piece);
            }
            5 => {
                let other = &seeds[random.below(seeds.len())];
                let (c, d) = (random.below(other.len() + 1), random.below(other.len() + 1));
                bytes.splice(from..to, other[c.min(d)..c.max(d)].iter().copied());
            }
            6 => {
                let times = [1, 1, 1, 3, 200, 2_000][random.below(6)];
                let piece = PIECES[random.below(PIECES.len())].repeat(times);
                bytes.splice(from..from, piece.bytes());
            }
            7 if from + 4 <= bytes.len() => {
                let value = [0_u32, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX][random.below(5)];
                bytes[from..from + 4].copy_from_slice(&value.to_le_bytes());
            }
            _ => {
                let piece = PIECES[random.below(PIECES.len())];
                bytes.splice(from..from, piece.bytes());
            }
        }
        bytes.truncate(MAX);
    }
    bytes
}

fn fuzz(name: &str) {
    let (_, read) = targets::TARGETS.iter().find(|target| target.0 == name).unwrap();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let millis = number("SPANQL_FUZZ_SECONDS").map_or(1_500, |seconds| seconds * 1_000);
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let seed = number("SPANQL_FUZZ_SEED").unwrap_or_else(clock);
    println!("{name}: SPANQL_FUZZ_SEED={seed}");
    let mut random = Random(seed);
    let seeds = seeds(name);
    let (began, mut count, mut longest) = (Instant::now(), 0_u64, Duration::ZERO);
    let mut one = |bytes: &[u8]| {
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| read(bytes)));
        let took = start.elapsed();
        if outcome.is_err() || took > LONGEST {
            let path = std::env::temp_dir().join(format!("spanql-fuzz-{name}-{seed}-{count}"));
            std::fs::write(&path, bytes).unwrap();
            let shown = String::from_utf8_lossy(bytes).chars().take(500).collect::<String>();
            panic!("{name}: input {count}, which took {took:?}, is {}: {shown:?}", path.display());
        }
        longest = longest.max(took);
        count += 1;
    };
    seeds.iter().for_each(|seed| one(seed));
    while began.elapsed() < Duration::from_millis(millis) {
        one(&mutated(&mut random, &seeds));
    }
    println!("{name}: {count} inputs, the longest took {longest:?}");
}

macro_rules! fuzzed {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            fuzz(stringify!($name));
        }
    )*};
}

fuzzed! { json filters names rows flight csv otlp_json otlp files }

#[test]
fn every_target_is_run_and_has_seeds() {
    for (name, _) in targets::TARGETS {
        assert!(!seeds(name).is_empty(), "{name}");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fuzz/fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(&format!("spanql_fuzz::{name}(")), "{}", file.display());
    }
}
