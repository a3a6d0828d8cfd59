//! How long a remote wants to be left alone.

use std::time::Duration;

use reqwest::header::HeaderMap;

/// Opik's headers end so that say, for each budget that a request counts against, when it is full again.
const UNTIL_FULL: &str = "-remaining-limit-ttl-millis";
const NONE_LEFT: &str = "-remaining-limit";

/// The longest time that any of its headers asks for: `Retry-After` and `RateLimit-Reset` in seconds, and how long the
/// budgets of Opik take that are used up.
pub(super) fn wanted(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let seconds = ["retry-after", "ratelimit-reset"].into_iter().filter_map(number).map(Duration::from_secs);
    let budgets = headers.keys().filter_map(|name| {
        let budget = name.as_str().strip_suffix(UNTIL_FULL)?;
        // One that is not used up is not waited for.
        let left = number(&format!("{budget}{NONE_LEFT}")).unwrap_or_default();
        number(name.as_str()).filter(|_| left == 0).map(Duration::from_millis)
    });
    seconds.chain(budgets).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        wanted(&HeaderMap::from_iter(pairs))
    }

    #[test]
    fn the_longest_wait_counts() {
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("Retry-After", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(of(&[("Retry-After", "soon"), ("RateLimit-Reset", "3")]), Some(Duration::from_secs(3)));
        let spans = ("opik-search-spans-remaining-limit-ttl-millis", "4500");
        let left = |left| ("opik-search-spans-remaining-limit", left);
        assert_eq!(of(&[("RateLimit-Reset", "3"), spans, left("0")]), Some(Duration::from_millis(4500)));
        assert_eq!(of(&[spans]), Some(Duration::from_millis(4500)));
        assert_eq!(of(&[("RateLimit-Reset", "3"), spans, left("12")]), Some(Duration::from_secs(3)));
    }
}
