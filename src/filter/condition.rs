//! A filter that was read, and what it reads.

use std::collections::BTreeSet;

use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::Expr;

/// A filter that was read: the rows for which its expression is true.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The condition, over columns by their canonical names.
    pub expr: Expr,
    /// What the reader should know, each a line without a full stop: names that no span has.
    pub notes: Vec<String>,
}

impl Filter {
    /// The names of all columns that the filter reads, sorted.
    pub fn columns(&self) -> BTreeSet<String> {
        columns(&self.expr)
    }
}

/// The names of all columns that an expression reads.
pub fn columns(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    // The visitor cannot fail.
    let _ = expr.apply(|node| {
        if let Expr::Column(column) = node {
            names.insert(column.name.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    names
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{ident, lit};

    use super::Filter;

    #[test]
    fn a_filter_tells_its_columns_once_and_sorted() {
        let expr = ident("name").eq(lit("a")).or(ident("attributes.x").gt(ident("name")));
        let columns = Filter { expr, notes: vec![] }.columns();
        assert_eq!(columns.into_iter().collect::<Vec<_>>(), ["attributes.x", "name"]);
    }
}
