//! When things happen: a fixed stretch of days before a fixed date, busier by day and on working days.

/// 2026-11-01T00:00:00Z in nanoseconds: every span ends before it.
pub(super) const END_OF_TIME: i64 = 1_793_491_200 * 1_000_000_000;

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// New traces stop this long before the end, more than twice what the longest one can take with all its retries.
const MARGIN: i64 = 2 * HOUR;
/// 20,000 spans take a week.
const NANOS_PER_SPAN: i64 = 7 * DAY / 20_000;

/// Load by hour of day (UTC), in percent of the peak.
const HOURS: [u64; 24] =
    [18, 14, 11, 9, 9, 12, 20, 34, 55, 74, 86, 92, 88, 94, 100, 98, 90, 80, 68, 58, 48, 38, 30, 23];

/// Maps progress through the stream to a moment.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    start: i64,
    /// Load up to the end of each hour.
    cumulative: Vec<u64>,
    spans: u64,
}

impl Clock {
    pub(super) fn new(spans: u64) -> Self {
        let wanted = i64::try_from(spans).unwrap_or(i64::MAX).saturating_mul(NANOS_PER_SPAN);
        let length = wanted.clamp(DAY, 30 * DAY) / HOUR * HOUR;
        let start = END_OF_TIME - MARGIN - length;
        let cumulative = (0..length / HOUR)
            .scan(0, |sum, hour| {
                let since_epoch = start / HOUR + hour;
                // 1970-01-01 was a Thursday: day 2 was a Saturday.
                let weekend = matches!((since_epoch / 24) % 7, 2 | 3);
                let load = HOURS[(since_epoch % 24) as usize];
                *sum += if weekend { load * 35 / 100 } else { load };
                Some(*sum)
            })
            .collect();
        Self { start, cumulative, spans: spans.max(1) }
    }

    /// The moment at which `emitted` of all spans have been sent; never decreases.
    pub(super) fn at(&self, emitted: u64) -> i64 {
        let total = self.cumulative.last().copied().unwrap_or(1);
        // In thousandths of a unit of load, so that small loads do not jump.
        let scaled = u128::from(emitted.min(self.spans)) * u128::from(total) * 1_000 / u128::from(self.spans);
        let scaled = scaled as u64;
        let hour = self.cumulative.partition_point(|&sum| sum * 1_000 <= scaled).min(self.cumulative.len() - 1);
        let before = if hour == 0 { 0 } else { self.cumulative[hour - 1] };
        let load = (self.cumulative[hour] - before) * 1_000;
        let within = i128::from(scaled - before * 1_000) * i128::from(HOUR) / i128::from(load);
        self.start + hour as i64 * HOUR + within as i64
    }

    /// The first moment of the data.
    pub(super) fn start(&self) -> i64 {
        self.start
    }
}

/// Appends a moment as RFC 3339 text with nanoseconds.
pub(super) fn push_time(out: &mut String, nanos: i64) {
    let time = chrono::DateTime::from_timestamp_nanos(nanos);
    out.push_str(&time.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true));
}

#[cfg(test)]
mod tests {
    use super::{Clock, DAY, END_OF_TIME, HOUR, push_time};

    #[test]
    fn the_end_is_where_it_is_said_to_be() {
        let mut text = String::new();
        push_time(&mut text, END_OF_TIME);
        assert_eq!(text, "2026-11-01T00:00:00.000000000Z");
    }

    #[test]
    fn moments_never_go_back_and_stay_inside() {
        for spans in [1, 100, 20_000, 3_000_000] {
            let clock = Clock::new(spans);
            let mut last = clock.start();
            for i in 0..=1_000 {
                let now = clock.at(spans * i / 1_000);
                assert!(now >= last && now < END_OF_TIME, "{spans} {i}");
                last = now;
            }
        }
        let week = Clock::new(20_000);
        assert!((END_OF_TIME - week.start() - 7 * DAY).abs() <= 3 * HOUR);
        assert!(END_OF_TIME - Clock::new(50_000_000).start() <= 31 * DAY);
    }

    #[test]
    fn nights_and_weekends_are_quiet() {
        let clock = Clock::new(1_000_000);
        let (mut night, mut day, mut weekend) = (0, 0, 0);
        for i in 0..100_000 {
            let now = clock.at(i * 10);
            match now.rem_euclid(DAY) / HOUR {
                2..=5 => night += 1,
                12..=15 => day += 1,
                _ => {}
            }
            weekend += u32::from(matches!((now / DAY) % 7, 2 | 3));
        }
        assert!(day > 6 * night, "{day} {night}");
        assert!(weekend < 20_000, "{weekend}");
    }
}
