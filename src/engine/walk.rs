//! Walks over syntax trees with walkers that are trait objects.
//!
//! The parser's walks are generic over the visitor, and each is hundreds of functions, one for every type of node. Here
//! there are two visitors, one that reads and one that writes, and so each function is compiled once.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Select, TableFactor, Visit, VisitMut, Visitor, VisitorMut};

use super::error::EngineError;

/// Whether a walk goes on.
pub(crate) type Flow = ControlFlow<EngineError>;

/// Reads the nodes of a tree: `pre_` comes ahead of what a node is made of, `post_` behind it.
pub(crate) trait Walk {
    /// Sees a query.
    fn pre_visit_query(&mut self, _: &Query) -> Flow {
        Flow::Continue(())
    }

    /// Leaves a query.
    fn post_visit_query(&mut self, _: &Query) -> Flow {
        Flow::Continue(())
    }

    /// Sees a SELECT.
    fn pre_visit_select(&mut self, _: &Select) -> Flow {
        Flow::Continue(())
    }

    /// Sees an item of FROM.
    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> Flow {
        Flow::Continue(())
    }

    /// Sees an expression.
    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow;
}

/// Changes the nodes of a tree: `pre_` comes ahead of what a node is made of, `post_` behind it.
pub(crate) trait WalkMut {
    /// Changes a query on the way in.
    fn pre_visit_query(&mut self, _: &mut Query) -> Flow {
        Flow::Continue(())
    }

    /// Changes a query on the way out.
    fn post_visit_query(&mut self, _: &mut Query) -> Flow {
        Flow::Continue(())
    }

    /// Changes an expression on the way in.
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow;

    /// Changes an expression on the way out.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow;
}

/// Takes a walker through a tree.
///
/// # Errors
///
/// When the walker breaks off.
pub(crate) fn walk<T: Visit>(node: &T, walker: &mut dyn Walk) -> Result<(), EngineError> {
    ended(node.visit(&mut Reading(walker)))
}

/// Takes a walker that makes changes through a tree.
///
/// # Errors
///
/// When the walker breaks off.
pub(crate) fn walk_mut<T: VisitMut>(node: &mut T, walker: &mut dyn WalkMut) -> Result<(), EngineError> {
    ended(node.visit(&mut Writing(walker)))
}

fn ended(flow: Flow) -> Result<(), EngineError> {
    match flow {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Reading<'a>(&'a mut dyn Walk);

impl Visitor for Reading<'_> {
    type Break = EngineError;

    fn pre_visit_query(&mut self, query: &Query) -> Flow {
        self.0.pre_visit_query(query)
    }

    fn post_visit_query(&mut self, query: &Query) -> Flow {
        self.0.post_visit_query(query)
    }

    fn pre_visit_select(&mut self, select: &Select) -> Flow {
        self.0.pre_visit_select(select)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> Flow {
        self.0.pre_visit_table_factor(factor)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> Flow {
        self.0.pre_visit_expr(expr)
    }
}

struct Writing<'a>(&'a mut dyn WalkMut);

impl VisitorMut for Writing<'_> {
    type Break = EngineError;

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        self.0.pre_visit_query(query)
    }

    fn post_visit_query(&mut self, query: &mut Query) -> Flow {
        self.0.post_visit_query(query)
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        self.0.pre_visit_expr(expr)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        self.0.post_visit_expr(expr)
    }
}
