//! Types of open columns, and how two of them unite.

use arrow::datatypes::DataType;

/// Integers beyond this magnitude do not fit a Float64 exactly.
pub const MAX_EXACT_INTEGER: i64 = 1 << 53;

/// What is known of an open column's type over all its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OpenType {
    /// `true` or `false`.
    Boolean,
    /// Integers within plus or minus 2^53.
    Int64,
    /// Integers, at least one of them beyond 2^53.
    BigInt64,
    /// Numbers.
    Float64,
    /// Text.
    Utf8,
}

impl OpenType {
    /// The smallest type that holds the values of both without loss: associative, commutative and idempotent.
    ///
    /// Integers with floats give Float64, or Utf8 where an integer exceeds 2^53; anything else that differs gives Utf8.
    pub fn unite(self, other: Self) -> Self {
        use OpenType::{BigInt64, Float64, Int64, Utf8};
        match (self, other) {
            (a, b) if a == b => a,
            (Int64, BigInt64) | (BigInt64, Int64) => BigInt64,
            (Int64, Float64) | (Float64, Int64) => Float64,
            _ => Utf8,
        }
    }

    /// The Arrow type of a column of this type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 | Self::BigInt64 => DataType::Int64,
            Self::Float64 => DataType::Float64,
            Self::Utf8 => DataType::Utf8,
        }
    }
}

/// The text of a number that shares a column with text.
///
/// Whole numbers print as integers, so that `5` and `5.0` give the same text in whatever order they arrived;
/// NaN and infinities print as `NaN`, `inf` and `-inf`.
pub fn float_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() <= MAX_EXACT_INTEGER as f64 {
        format!("{}", value as i64)
    } else if value.is_finite() && (value.abs() >= 1e16 || value.abs() < 1e-5) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::OpenType::{self, BigInt64, Boolean, Float64, Int64, Utf8};
    use super::float_text;

    #[test]
    fn unite_is_a_semilattice() {
        let all: [OpenType; 5] = [Boolean, Int64, BigInt64, Float64, Utf8];
        for a in all {
            assert_eq!(a.unite(a), a);
            for b in all {
                assert_eq!(a.unite(b), b.unite(a));
                for c in all {
                    assert_eq!(a.unite(b).unite(c), a.unite(b.unite(c)), "{a:?} {b:?} {c:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_unite_without_loss() {
        assert_eq!((Int64.unite(BigInt64), Int64.unite(Float64), BigInt64.unite(Float64)), (BigInt64, Float64, Utf8));
        assert_eq!(Boolean.unite(Int64), Utf8);
    }

    #[test]
    fn whole_floats_print_like_integers() {
        assert_eq!(float_text(5.0), "5");
        assert_eq!(float_text(-0.0), "0");
        assert_eq!(float_text(0.1), "0.1");
        assert_eq!(float_text(1e300), "1e300");
        assert_eq!((float_text(0.00001).as_str(), float_text(0.000001).as_str()), ("0.00001", "1e-6"));
    }
}
