//! What can be said of conditions in another language.

use datafusion_expr::Expr;

/// What a vendor's language can say of some conditions that all hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Said<T> {
    /// What can be said: it lets through every row for which all conditions are true, and maybe more. `None` when that
    /// would be every row.
    pub said: Option<T>,
    /// The conditions that are left to check, because what is said lets more through.
    pub rest: Vec<Expr>,
}

impl<T> Said<T> {
    /// Whether what is said, together with nothing else, means all the conditions.
    pub fn is_exact(&self) -> bool {
        self.rest.is_empty()
    }
}
