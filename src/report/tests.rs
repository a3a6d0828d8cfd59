//! Headers, parameters, expectations and lookup, by tables of cases.

mod expectations;

use std::path::{Path, PathBuf};

use super::{Declared, Expectation, Kind, Library, Origin, ReportError, Saved, bind};
use spanql_engine::{Param, ParamType, Params};
use spanql_model::time::{self, Clock, NANOS};

fn now() -> Clock {
    Clock { now: 1_795_285_800 * NANOS, data_end: Some(1_793_000_000 * NANOS) }
}

fn saved(text: &str) -> Result<Saved, ReportError> {
    Saved::parse(text, "stem", Origin::File(PathBuf::from("a.sql")))
}

#[test]
fn headers_are_read() {
    let text = "\u{feff}
-- Prose comes first: and it may have colons.
-- name: my-query_2
--description:  What it is for: this
-- param since time = 7d Only since then
--   param names text[] = 'a, b',c
-- expect rows > 0
-- parameters of the kind that nobody knows
-- expected by the team of Ana

-- chart: bar x=model y=cost
SELECT 1 -- name: no
-- expect rows > 5
";
    let query = saved(text).unwrap();
    assert_eq!(query.name, "my-query_2");
    assert_eq!(query.description.as_deref(), Some("What it is for: this"));
    assert_eq!(query.chart.as_deref(), Some("bar x=model y=cost"));
    let params: Vec<String> = query.params.iter().map(ToString::to_string).collect();
    assert_eq!(params, ["since time = 7d", "names text[] = 'a, b'"]);
    assert_eq!(query.params[0].description.as_deref(), Some("Only since then"));
    assert_eq!(query.expectations.iter().map(Expectation::text).collect::<Vec<_>>(), ["rows > 0"]);
    assert_eq!(query.sql, text.trim_start_matches('\u{feff}'));
    let plain = saved("SELECT 1\n-- name: later").unwrap();
    assert_eq!((plain.name.as_str(), plain.description, plain.params.len()), ("stem", None, 0));
    assert_eq!(saved("-- name: a\r\n-- expect rows = 1\r\nSELECT 1").unwrap().name, "a");
}

#[test]
fn headers_say_what_is_wrong() {
    for (text, wanted) in [
        ("-- name: two words", "a.sql:1: 'two words' is no name: use letters, digits, - and _"),
        ("-- name:", "a.sql:1: '' is no name: use letters, digits, - and _"),
        ("-- name: a\n-- name: b", "a.sql:2: there are two lines name: …; leave one"),
        ("-- nmae: a", "a.sql:1: 'nmae' is no directive; did you mean name?"),
        ("-- Name: a", "a.sql:1: 'Name' is no directive; did you mean name?"),
        ("-- decription: a", "a.sql:1: 'decription' is no directive; did you mean description?"),
        ("-- parm n int = 5", "a.sql:1: 'parm' is no directive; did you mean param?"),
        ("-- expct rows > 0", "a.sql:1: 'expct' is no directive; did you mean expect?"),
        ("-- description:", "a.sql:1: nothing follows description:"),
        ("-- param n", "a.sql:1: the parameter n has no type; write NAME TYPE [= default] [description]"),
        ("-- param", "a.sql:1: a parameter has no name; write NAME TYPE [= default] [description]"),
        ("-- param n itn", "a.sql:1: the parameter n: there is no type itn; did you mean int?"),
        ("-- param n int = x", "a.sql:1: the default of n: 'x' is not a whole number such as 20"),
        (
            "-- param n text = 'x",
            "a.sql:1: the parameter n: the quote of 'x is never closed; a quote inside is written ''",
        ),
        ("-- param n text =", "a.sql:1: the parameter n: nothing follows the =; '' is an empty text"),
        ("-- param n int\n--\n-- param n text", "a.sql:3: the parameter n is there twice"),
        (
            "-- expect cost",
            "a.sql:1: 'cost' compares nothing; write rows > 0, max(column) < 5, or column = 'text' (for every row)",
        ),
    ] {
        assert_eq!(saved(text).unwrap_err().to_string(), wanted, "{text}");
    }
    for prose in
        ["-- note: this", "-- same as before", "-- Expect the unexpected", "-- expected: nothing", "-- parm for x"]
    {
        assert!(saved(prose).is_ok(), "{prose}");
    }
}

#[test]
fn declarations_are_read() {
    for (text, kind, default, description) in [
        ("n int", Kind::Int, None, None),
        ("n int=20", Kind::Int, Some("20"), None),
        ("n int = 20 How many", Kind::Int, Some("20"), Some("How many")),
        ("$n text = 'it''s a' x y", Kind::Text, Some("'it''s a'"), Some("x y")),
        ("n text = null", Kind::Text, Some("null"), None),
        ("n float[] Numbers = good", Kind::Floats, None, Some("Numbers = good")),
        ("n bool = yes", Kind::Bool, Some("yes"), None),
    ] {
        let declared = Declared::parse(text).unwrap();
        assert_eq!(declared.name, "n", "{text}");
        assert_eq!(
            (declared.kind, declared.default.as_deref(), declared.description.as_deref()),
            (kind, default, description),
            "{text}"
        );
    }
}

fn bound(declared: &str, given: &[&str]) -> Result<Params, ReportError> {
    let given: Vec<_> = given.iter().map(|value| ("x".to_owned(), (*value).to_owned())).collect();
    bind(&[Declared::parse(declared).unwrap()], &given, &now())
}

fn texts(items: &[&str]) -> Param {
    Param::List(ParamType::Text, items.iter().map(|item| Param::Text((*item).to_owned())).collect())
}

#[test]
fn values_are_read() {
    let at = |text: &str| Param::Time(time::parse(text).unwrap());
    let back = |seconds: i64| Param::Time(now().now - seconds * NANOS);
    for (declared, given, wanted) in [
        ("x text", &["a"][..], Param::Text("a".into())),
        ("x text", &["a", " null "], Param::Text(" null ".into())),
        ("x text", &["null"], Param::Text("null".into())),
        ("x text = null", &[], Param::NullOf(ParamType::Text)),
        ("x text = 'null'", &[], Param::Text("null".into())),
        ("x text = ''", &[], Param::Text(String::new())),
        ("x int", &["-5"], Param::Int(-5)),
        ("x int = 5", &["null"], Param::NullOf(ParamType::Int)),
        ("x float", &["1e3"], Param::Float(1000.0)),
        ("x bool", &["YES"], Param::Boolean(true)),
        ("x bool = no", &[], Param::Boolean(false)),
        ("x time", &["2026-11-01"], at("2026-11-01T00:00:00Z")),
        ("x time", &["2026-11-01T12:30:00.5+01:00"], at("2026-11-01T11:30:00.5Z")),
        ("x time", &["now"], back(0)),
        ("x time", &["last-1d"], Param::Time(1_793_000_000 * NANOS - 86_400 * NANOS)),
        ("x time = last-1d", &[], Param::Time(1_793_000_000 * NANOS - 86_400 * NANOS)),
        ("x time", &["today"], at("2026-11-21T00:00:00Z")),
        ("x time", &["Yesterday"], at("2026-11-20T00:00:00Z")),
        ("x time = 7d", &[], back(7 * 86_400)),
        ("x time", &["24h"], back(86_400)),
        ("x time", &["90m"], back(5_400)),
        ("x time", &["2w"], back(14 * 86_400)),
        ("x time = null", &[], Param::NullOf(ParamType::Time)),
        ("x text[]", &["a, b"], texts(&["a", "b"])),
        ("x text[] = z", &["a", "'b, ''c''' ,d"], texts(&["a", "b, 'c'", "d"])),
        ("x text[] = z", &[""], texts(&[])),
        ("x text[] = a,b", &[], texts(&["a", "b"])),
        ("x text[] = null", &[], Param::NullList(ParamType::Text)),
        ("x text[]", &["null"], texts(&["null"])),
        ("x int[]", &["1,2", "3"], Param::List(ParamType::Int, vec![Param::Int(1), Param::Int(2), Param::Int(3)])),
        ("x float[]", &["1"], Param::List(ParamType::Float, vec![Param::Float(1.0)])),
    ] {
        assert_eq!(bound(declared, given).unwrap(), Params::from([("x".to_owned(), wanted)]), "{declared} {given:?}");
    }
}

#[test]
fn values_that_do_not_fit() {
    for (declared, given, wanted) in [
        ("x int", "1.5", "the parameter x: '1.5' is not a whole number such as 20"),
        ("x float", "inf", "the parameter x: 'inf' is not a number such as 0.5 or 1e3"),
        ("x bool", "1", "the parameter x: '1' is not true, false, yes or no"),
        ("x int[]", "1,a", "the parameter x: 'a' is not a whole number such as 20"),
        ("x text[]", "a,,b", "the parameter x: an element of the list is empty; write '' for an empty text"),
        ("x text[]", "'a' b", "the parameter x: a comma is missing before 'b'"),
        ("x text[]", "'a", "the parameter x: the quote of 'a is never closed; a quote inside is written ''"),
        (
            "x time",
            "1795285800",
            "the parameter x: '1795285800' is not a time such as 2026-11-01, 2026-11-01T12:00:00+01:00, now, today, \
             yesterday, or an age back from now such as 7d, 24h, 90m or 2w, or back from the end of the data such as last-7d",
        ),
    ] {
        assert_eq!(bound(declared, &[given]).unwrap_err().to_string(), wanted, "{declared} {given}");
    }
    for text in ["7", "d", "2026-13-01", "99999999999y", "3000-01-01", "", "someday"] {
        assert!(bound("x time", &[text]).is_err(), "{text}");
    }
    let long = "9".repeat(5_000_000);
    assert!(bound("x int", &[&long]).unwrap_err().to_string().len() < 200);
}

#[test]
fn parameters_that_are_not_there_or_not_given() {
    let declared = ["model text The model", "since time", "n int = 5"].map(|text| Declared::parse(text).unwrap());
    let error = |given: &[(&str, &str)]| {
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        bind(&declared, &given, &now()).unwrap_err()
    };
    assert_eq!(error(&[]).to_string(), "values are needed: model=… (text: The model), since=… (time)");
    assert_eq!(error(&[("model", "m")]).to_string(), "a value is needed: since=… (time)");
    assert_eq!(error(&[("modl", "m")]).to_string(), "there is no parameter modl; did you mean model?");
    assert_eq!(error(&[("zebra", "m")]).to_string(), "there is no parameter zebra; it takes model, since, n");
    assert_eq!(error(&[("modl", "m")]).suggestion(), Some("model"));
    assert!(error(&[]).is_usage());
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn nearer_queries_hide_others() {
    let dir = tempfile::tempdir().unwrap();
    let (working, config) = (dir.path().join("work"), dir.path().join("config"));
    let here = |name: &str| working.join("queries").join(name);
    let own = |name: &str| config.join("spanql").join("queries").join(name);
    write(&here("one.sql"), "SELECT 'here'");
    write(&here(".hidden.sql"), "SELECT 1");
    write(&here("notes.txt"), "SELECT 1");
    write(&here("models.sql"), "SELECT 'not built in'");
    write(&own("one.sql"), "SELECT 'own'");
    write(&own("renamed.sql"), "-- name: two\nSELECT 'own'");
    write(&own("bad.sql"), "-- expect nothing\nSELECT 1");
    write(&own("same.sql"), "-- name: two\nSELECT 'same'");
    std::fs::write(own("bytes.sql"), b"SELECT\n'\xff'").unwrap();
    let library = Library::of(&working, Some(&config));
    assert_eq!(library.find("one").unwrap().sql, "SELECT 'here'");
    assert_eq!(library.find("models").unwrap().origin, Origin::File(here("models.sql")));
    assert_eq!(library.find("slowest-traces").unwrap().origin, Origin::BuiltIn);
    let twice = library.find("two").unwrap_err().to_string();
    let files = format!("{} and {}", own("renamed.sql").display(), own("same.sql").display());
    assert_eq!(twice, format!("{files} have the same name, two; rename all but one of them"));
    assert!(library.find("bad").unwrap_err().to_string().contains("bad.sql:1: 'nothing' compares nothing"));
    assert!(library.find("bytes").unwrap_err().to_string().ends_with("bytes.sql: line 2 is not UTF-8"));
    let unknown = library.find("slowest-trace").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no saved query slowest-trace; did you mean slowest-traces?");
    assert_eq!(library.find("queries/one.sql").unwrap().sql, "SELECT 'here'");
    assert!(matches!(library.find("one.sql"), Err(ReportError::Unreadable { .. })));
    assert!(matches!(library.find("queries/"), Err(ReportError::Unreadable { .. })));

    let names: Vec<String> = library.list().into_iter().filter_map(|query| Some(query.ok()?.name)).collect();
    assert!(names.is_sorted() && names.contains(&"one".to_owned()) && !names.contains(&"hidden".to_owned()));
    assert_eq!(library.list().iter().filter(|query| query.is_err()).count(), 3);
    std::fs::write(here("long.sql"), "-".repeat((1 << 20) + 1)).unwrap();
    assert!(library.find("long").unwrap_err().to_string().contains("is longer than 1 MB"));
}

/// Whatever is wrong with some files, all others can be found, and each trouble is listed once.
#[test]
fn queries_do_not_break_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let (working, config) = (dir.path().join("work"), dir.path().join("config"));
    let here = |name: &str| working.join("queries").join(name);
    let own = |name: &str| config.join("spanql").join("queries").join(name);
    let named = |name: &str, what: &str| format!("-- name: {name}\nSELECT '{what}'");
    for file in ["a.sql", "b.sql", "c.sql"] {
        write(&here(file), &named("three", file));
    }
    write(&here("three.sql"), &named("other", "here"));
    write(&own("three.sql"), "SELECT 'own'");
    // One file is called as another calls itself.
    write(&here("stem.sql"), "SELECT 'stem'");
    write(&here("d.sql"), &named("stem", "d"));
    // A file that cannot be read does not take the name of one that can, whichever sorts first.
    write(&here("m.sql"), &named("early", "good"));
    write(&here("early.sql"), "-- param n itn\nSELECT 'broken'");
    write(&here("k.sql"), &named("late", "good"));
    write(&here("late.sql"), "-- param n itn\nSELECT 'broken'");
    // But it keeps its own from what is farther away.
    write(&here("broken.sql"), "-- param n itn\n-- name: models\nSELECT 'broken'");
    write(&own("far.sql"), &named("far", "own"));
    write(&own("far-2.sql"), &named("near", "own"));
    write(&own("far-3.sql"), &named("near", "own"));
    write(&here("near.sql"), "SELECT 'near'");
    let library = Library::of(&working, Some(&config));

    let said = |name: &str| library.find(name).unwrap_err().to_string();
    let files = format!("{}, {} and {}", here("a.sql").display(), here("b.sql").display(), here("c.sql").display());
    assert_eq!(said("three"), format!("{files} have the same name, three; rename all but one of them"));
    let both = format!("{} and {}", here("d.sql").display(), here("stem.sql").display());
    assert!(said("stem").starts_with(&both), "{}", said("stem"));
    assert!(said("models").contains("broken.sql:1: the parameter n: there is no type itn"), "{}", said("models"));
    for (name, sql) in
        [("other", "'here'"), ("early", "'good'"), ("late", "'good'"), ("far", "'own'"), ("near", "'near'")]
    {
        let found = library.find(name).unwrap().sql;
        assert!(found.ends_with(&format!("SELECT {sql}")), "{name}: {found}");
    }
    assert_eq!(library.find(here("a.sql").to_str().unwrap()).unwrap().name, "three", "each can be run as a file");
    assert_eq!(library.find("slowest-traces").unwrap().origin, Origin::BuiltIn);

    let listed = library.list();
    let errors: Vec<String> = listed.iter().filter_map(|query| Some(query.as_ref().err()?.to_string())).collect();
    assert_eq!(errors.len(), 5, "{errors:?}");
    let names: Vec<&str> = listed.iter().filter_map(|query| Some(query.as_ref().ok()?.name.as_str())).collect();
    assert!(names.is_sorted() && ["early", "far", "late", "near", "other"].iter().all(|name| names.contains(name)));
    assert!(!names.contains(&"three") && !names.contains(&"stem"));
}
