//! Times in all shapes that people and exports write.

use proptest::prelude::*;

use super::*;

#[test]
fn integers_by_magnitude() {
    for (value, nanos) in [
        (0, 0),
        (1_755_629_895, 1_755_629_895_000_000_000),
        (1_755_629_895_149, 1_755_629_895_149_000_000),
        (1_755_629_895_149_559, 1_755_629_895_149_559_000),
        (1_755_629_895_149_559_400, 1_755_629_895_149_559_400),
        (-1_000, -1_000_000_000_000),
        (-1_755_629_895_149, -1_755_629_895_149_000_000),
        (100_000_000_000, 100_000_000_000_000_000),
        (100_000_000_000_000, 100_000_000_000_000_000),
        (100_000_000_000_000_000, 100_000_000_000_000_000),
    ] {
        assert_eq!(from_integer(value), Ok(nanos), "{value}");
        assert_eq!(parse(&value.to_string()), Ok(nanos), "{value}");
    }
    assert_eq!(from_integer(99_999_999_999), Err(TimeError::Range));
    assert_eq!(from_integer(i128::MAX), Err(TimeError::Range));
    assert_eq!(parse("99999999999999999999999999999999999999999999"), Err(TimeError::Range));
}

#[test]
fn a_magnitude_tells_a_unit() {
    for (power, unit) in [(10, "seconds"), (13, "milliseconds"), (16, "microseconds"), (18, "nanoseconds")] {
        assert_eq!(unit_name(10_u128.pow(power)), unit);
    }
}

#[test]
fn floats_and_decimals() {
    assert_eq!(from_float(1_755_629_895.5), Ok(1_755_629_895_500_000_000));
    assert_eq!(from_float(1_755_629_895_149_559_296.0), Ok(1_755_629_895_149_559_296));
    assert_eq!(from_float(-1.5), Ok(-1_500_000_000));
    assert_eq!(from_float(f64::NAN), Err(TimeError::Range));
    assert_eq!(from_float(1e300), Err(TimeError::Range));
    assert_eq!(parse("1755629895.1495594123"), Ok(1_755_629_895_149_559_412));
    assert_eq!(parse("1755629895149.5594"), Ok(1_755_629_895_149_559_400));
    assert_eq!(parse("-0.5"), Ok(-500_000_000));
    assert_eq!(parse("1.755629895e9"), Ok(1_755_629_895_000_000_000));
}

#[test]
fn shapes_of_text() {
    let nanos = 1_755_629_895_149_559_400;
    for text in [
        "2025-08-19T18:58:15.149559400Z",
        "2025-08-19T18:58:15.1495594Z",
        "2025-08-19t18:58:15.1495594z",
        "2025-08-19 18:58:15.1495594",
        " 2025-08-19 18:58:15.1495594 UTC ",
        "2025-08-19T18:58:15.149559400999Z",
        "2025-08-19T20:58:15.1495594+02:00",
        "2025-08-19T20:58:15.1495594+0200",
        "2025-08-19T16:58:15.1495594-02",
    ] {
        assert_eq!(parse(text), Ok(nanos), "{text}");
    }
    assert_eq!(parse("2025-08-19"), Ok(1_755_561_600_000_000_000));
    assert_eq!(parse("2025-08-19T00:00"), Ok(1_755_561_600_000_000_000));
    assert_eq!(parse("+1755561600"), Ok(1_755_561_600_000_000_000));
    assert_eq!(parse("2000-02-29"), Ok(951_782_400_000_000_000));
    assert_eq!(parse("2024-02-29"), Ok(1_709_164_800_000_000_000));
    assert_eq!(parse("1677-09-21T00:12:43.145224192Z"), Ok(i64::MIN));
    assert_eq!(parse("2262-04-11T23:47:16.854775807Z"), Ok(i64::MAX));
    assert_eq!(parse("2262-04-11T23:47:16.854775808Z"), Err(TimeError::Range));
    assert_eq!(parse("2016-12-31T23:59:60Z"), parse("2017-01-01T00:00:00Z"));
}

#[test]
fn digits_behind_nanoseconds_are_told() {
    for (text, cut) in [
        ("2025-08-19T18:58:15.149559400Z", false),
        ("2025-08-19T18:58:15.1495594000Z", false),
        ("2025-08-19T18:58:15.1495594001Z", true),
        ("1755629895.149559412", false),
        ("1755629895.1495594123", true),
        ("1755629895149.5594123", true),
        ("1755629895149.559412", false),
        ("1755629895149559400.5", true),
        ("1755629895", false),
    ] {
        assert_eq!(is_cut(text), cut, "{text}");
    }
}

#[test]
fn years_whose_parts_can_be_computed_with() {
    for (text, fits) in [
        ("1677-12-31T23:59:59.999999999Z", false),
        ("1678-01-01T00:00:00Z", true),
        ("2261-12-31T23:59:59.999999999Z", true),
        ("2262-01-01T00:00:00Z", false),
    ] {
        assert_eq!(parse(text).and_then(in_calendar).is_ok(), fits, "{text}");
    }
}

#[test]
fn what_is_no_time() {
    for text in [
        "",
        "yesterday",
        "2025-13-01",
        "2025-02-29",
        "2025-08-19T",
        "2025-08-19T24:00:00Z",
        "2025-08-19T10:00:00.Z",
        "2025-08-19T10:00:00+2",
        "2025/08/19",
        "2025-08-19T10:00:61Z",
        "inf",
        "NaN",
        "1e",
        "--1",
        "2025-08/19",
        "2025/08-19",
        "1900-02-29",
        "2023-02-29",
        "2025-08-19T10:00:00+02x00",
        "2025-08-19T10:00:00+24:00",
        "2025-08-19T10:00:00+02:60",
        "é025-08-19",
        ".5",
        "2025-08-19T10:00:00 Mars",
        "+",
    ] {
        assert_eq!(parse(text), Err(TimeError::Shape), "{text}");
    }
}

#[test]
fn ages_count_from_now_or_from_where_the_data_ends() {
    let clock = Clock { now: 10 * DAY, data_end: Some(5 * DAY) };
    for (text, nanos) in [
        ("2d", Ok(8 * DAY)),
        ("-2d", Ok(8 * DAY)),
        ("last-2d", Ok(3 * DAY)),
        (" LAST-36h ", Ok(5 * DAY - 3 * DAY / 2)),
        ("last-1d 12h", Ok(5 * DAY - 3 * DAY / 2)),
        ("last-", Err(TimeError::Shape)),
        ("last--2d", Err(TimeError::Shape)),
        ("last 2d", Err(TimeError::Shape)),
        ("last-week", Err(TimeError::Shape)),
    ] {
        assert_eq!(typed(text, &clock), nanos, "{text}");
    }
    assert_eq!(typed("last-2d", &Clock { data_end: None, ..clock }), Err(TimeError::NoData));
    assert!(is_from_data_end("last-7d") && !is_from_data_end("last-week") && !is_from_data_end("7d"));
}

proptest! {
    #[test]
    fn agrees_with_chrono(nanos: i64, digits in 0usize..=9, offset in -1439i32..=1439) {
        let unit = 10_i64.pow(9 - digits as u32);
        let nanos = nanos / unit * unit;
        let zone = chrono::FixedOffset::east_opt(offset * 60).unwrap();
        let time = chrono::DateTime::from_timestamp_nanos(nanos).with_timezone(&zone);
        let fraction = format!("{:09}", time.timestamp_subsec_nanos());
        let dot = if digits == 0 { "" } else { "." };
        let text = format!("{}{dot}{}{}", time.format("%Y-%m-%dT%H:%M:%S"), &fraction[..digits], time.format("%:z"));
        prop_assert_eq!(parse(&text), Ok(nanos), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse(&text);
    }
}
