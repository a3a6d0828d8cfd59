//! The one method of a `TableProvider` that waits.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;

/// What `TableProvider::scan` gives.
pub(crate) type ScanFuture<'a> = BoxFuture<'a, Result<Arc<dyn ExecutionPlan>>>;

/// `TableProvider::scan` by an inherent `async fn` of the same arguments: `scan_by!(SomeTable::plan_scan);`.
///
/// What `async_trait` makes of an `async fn` bounds its lifetimes. Under such bounds the compiler remembers nothing it has
/// proven, and proves of every expression that is held over an `await` anew that it can be sent: that was more than half of
/// the time this crate took to compile. In a function without bounds it is proven once.
macro_rules! scan_by {
    ($table:ident::$method:ident) => {
        fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
            &'life0 self,
            session: &'life1 dyn datafusion::catalog::Session,
            projection: Option<&'life2 Vec<usize>>,
            filters: &'life3 [datafusion::logical_expr::Expr],
            limit: Option<usize>,
        ) -> $crate::scan::ScanFuture<'async_trait>
        where
            'life0: 'async_trait,
            'life1: 'async_trait,
            'life2: 'async_trait,
            'life3: 'async_trait,
            Self: 'async_trait,
        {
            fn boxed<'a>(
                table: &'a $table,
                session: &'a dyn datafusion::catalog::Session,
                projection: Option<&'a Vec<usize>>,
                filters: &'a [datafusion::logical_expr::Expr],
                limit: Option<usize>,
            ) -> $crate::scan::ScanFuture<'a> {
                Box::pin(table.$method(session, projection, filters, limit))
            }
            boxed(self, session, projection, filters, limit)
        }
    };
}

pub(crate) use scan_by;
