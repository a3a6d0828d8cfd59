//! Conditions translated to another language, and what is left of them.

use datafusion_expr::Expr;

/// What a vendor's language can say of some conditions that all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated<T> {
    /// The translation: it lets through every row for which all conditions are true, and maybe more. `None` when that
    /// would be every row.
    pub translated: Option<T>,
    /// The conditions that are left to check, because the translation lets more through.
    pub rest: Vec<Expr>,
}

impl<T> Translated<T> {
    /// Whether the translation alone means all the conditions.
    pub fn is_exact(&self) -> bool {
        self.rest.is_empty()
    }
}
