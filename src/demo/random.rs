//! Randomness that gives the same values on every platform and with every version of the distribution crates.

use rand_core::Rng;
use rand_pcg::Lcg128Xsl64;

/// A bijection on 64 bits that scatters neighbouring numbers (the finaliser of splitmix64).
///
/// Because it is one to one, mixing a counter gives ids that look random and never repeat.
pub(super) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A stream of random numbers; every mapping to a range is spelled out here.
#[derive(Debug, Clone)]
pub(super) struct Random(Lcg128Xsl64);

impl Random {
    /// The stream numbered `stream` under `seed`.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let state = (u128::from(mix(seed)) << 64) | u128::from(mix(stream ^ seed.rotate_left(32)));
        Self(Lcg128Xsl64::new(state, u128::from(mix(stream))))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..n`; `n` must not be 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..high`.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    /// A number in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items; the slice must not be empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// One of the words; the slice must not be empty.
    pub(super) fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        self.pick::<&'a str>(words)
    }

    /// A standard normal number, as a sum of eight uniform ones: tails reach 4.9 deviations.
    pub(super) fn normal(&mut self) -> f64 {
        let (a, b) = (self.next(), self.next());
        let sum: u64 = (0..4).map(|i| ((a >> (16 * i)) & 0xffff) + ((b >> (16 * i)) & 0xffff)).sum();
        // The mean is 4 and the variance 8/12, in units of 65,536.
        (sum as f64 / 65_536.0 - 4.0) * 1.224_744_871_391_589
    }

    /// A log-normal number with this median.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// A duration in nanoseconds, log-normal around a median in milliseconds, at least 50 µs.
    pub(super) fn millis(&mut self, median: f64, sigma: f64) -> i64 {
        let nanos = (self.log_normal(median, sigma) * 1e6) as i64;
        nanos.max(50_000) + self.below(1_000) as i64
    }
}

/// e^x by multiplication and addition only: the system's `exp` may differ in the last bit between platforms.
fn exp(x: f64) -> f64 {
    let y = (x * std::f64::consts::LOG2_E).clamp(-1_000.0, 1_000.0);
    let whole = y.floor();
    let z = (y - whole) * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for n in (1..=14_u32).rev() {
        sum = 1.0 + z / f64::from(n) * sum;
    }
    sum * f64::from_bits(((1_023 + whole as i64) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::{Random, exp, mix};

    #[test]
    fn exp_agrees_with_the_standard_library() {
        for i in -400..400 {
            let x = f64::from(i) * 0.05;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn streams_are_fixed_and_differ() {
        let draw = |seed, stream| {
            let mut random = Random::new(seed, stream);
            [random.next(), random.next(), random.next()]
        };
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
        assert_ne!(mix(0), mix(1));
    }

    #[test]
    fn normal_has_the_moments_it_claims() {
        let mut random = Random::new(7, 0);
        let draws: Vec<f64> = (0..40_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }
}
