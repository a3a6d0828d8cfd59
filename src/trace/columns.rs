//! The `tree.*` columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, UInt64Array};
use arrow::compute::{take, take_arrays};
use arrow::record_batch::RecordBatch;

use super::input::{TreeArrays, require};
use super::time::{CriticalPath, self_ms};
use super::tree::Tree;
use super::wrapper::CallArrays;
use super::{Calls, TraceError, TreeInput, group_by_trace};

/// Computes the columns of [`TREE`](spanql_model::columns::TREE), in that order, each with one value per row of `input`.
///
/// `traces` are ranges of rows, each a whole trace; together they hold every row once. `calls` are over the same rows;
/// without them no span is a wrapper. Only `tree.root_id` (where the top span has no id) and `tree.self_ms` (where a
/// time is missing) can be null. Fails when a trace is too large for 32-bit tree numbers, when the repeated root ids do
/// not fit one array, and when an input cannot be read.
///
/// # Panics
///
/// Panics when a range reaches beyond the rows.
pub fn tree_columns(
    input: &TreeInput<'_>,
    calls: Option<&Calls<'_>>,
    traces: &[Range<usize>],
) -> Result<Vec<ArrayRef>, TraceError> {
    let mut columns = Columns::new(input.span_id.len());
    let mut tree = Tree::default();
    let mut path = CriticalPath::default();
    for rows in traces {
        tree.build(input, rows.clone())?;
        path.find(input, &tree);
        columns.fill(input, &tree, &path);
        if let Some(calls) = calls {
            for node in tree.nodes() {
                columns.wrapper[tree.row(node)] = calls.is_wrapper(input, &tree, node)?;
            }
        }
    }
    columns.finish(input)
}

/// Computes the columns of [`TREE`](spanql_model::columns::TREE) for a batch whose traces lie in any order, each with
/// one value per row of the batch.
///
/// A trace is all rows of one project (where there is such a column) and one trace id; the batch must hold it whole,
/// or the missing part reads as missing. Fails when the batch lacks a trace id, span id, parent or time column, and as
/// [`tree_columns`] does.
pub fn tree_columns_of(batch: &RecordBatch) -> Result<Vec<ArrayRef>, TraceError> {
    require(batch, &TreeArrays::NAMES)?;
    let groups = group_by_trace(batch)?;
    let (arrays, calls) = (TreeArrays::read(batch)?, CallArrays::read(batch)?);
    let Some(order) = groups.order else {
        return calls.with(|calls| tree_columns(&arrays.input(), Some(calls), &groups.ranges));
    };
    let (arrays, calls) = (arrays.reordered(&order)?, calls.reordered(&order)?);
    let columns = calls.with(|calls| tree_columns(&arrays.input(), Some(calls), &groups.ranges))?;
    let mut back = vec![0_u64; order.len()];
    for (place, &row) in order.values().iter().enumerate() {
        back[row as usize] = place as u64;
    }
    Ok(take_arrays(&columns, &UInt64Array::from(back), None)?)
}

/// The columns under construction, by row.
struct Columns {
    depth: Vec<i32>,
    left: Vec<i32>,
    right: Vec<i32>,
    root: Vec<u64>,
    children: Vec<i32>,
    descendants: Vec<i32>,
    self_ms: Vec<Option<f64>>,
    critical: Vec<bool>,
    orphan: Vec<bool>,
    cycle: Vec<bool>,
    wrapper: Vec<bool>,
}

impl Columns {
    fn new(rows: usize) -> Self {
        Self {
            depth: vec![0; rows],
            left: vec![0; rows],
            right: vec![0; rows],
            root: vec![0; rows],
            children: vec![0; rows],
            descendants: vec![0; rows],
            self_ms: vec![None; rows],
            critical: vec![false; rows],
            orphan: vec![false; rows],
            cycle: vec![false; rows],
            wrapper: vec![false; rows],
        }
    }

    fn fill(&mut self, input: &TreeInput<'_>, tree: &Tree, path: &CriticalPath) {
        for node in tree.nodes() {
            let row = tree.row(node);
            self.depth[row] = tree.depth(node);
            (self.left[row], self.right[row]) = tree.left_right(node);
            self.root[row] = tree.row(tree.top(node)) as u64;
            self.children[row] = tree.children(node).len() as i32;
            self.descendants[row] = tree.descendants(node);
            self.self_ms[row] = self_ms(input, tree, node);
            self.orphan[row] = tree.is_orphan(node);
            self.cycle[row] = tree.is_on_cycle(node);
        }
        for row in path.steps.iter().filter_map(|step| step.row) {
            self.critical[row] = true;
        }
    }

    fn finish(self, input: &TreeInput<'_>) -> Result<Vec<ArrayRef>, TraceError> {
        Ok(vec![
            Arc::new(Int32Array::from(self.depth)),
            Arc::new(Int32Array::from(self.left)),
            Arc::new(Int32Array::from(self.right)),
            take(input.span_id, &UInt64Array::from(self.root), None)?,
            Arc::new(Int32Array::from(self.children)),
            Arc::new(Int32Array::from(self.descendants)),
            Arc::new(Float64Array::from(self.self_ms)),
            Arc::new(BooleanArray::from(self.critical)),
            Arc::new(BooleanArray::from(self.orphan)),
            Arc::new(BooleanArray::from(self.cycle)),
            Arc::new(BooleanArray::from(self.wrapper)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;
    use std::time::Instant;

    use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray, TimestampNanosecondArray};
    use arrow::compute::cast;
    use arrow::datatypes::{DataType, Int32Type, TimeUnit};

    use super::{tree_columns, tree_columns_of};
    use crate::testing::sample::{TreeRow, batch, table, tree_rows, with_column};
    use crate::{TraceError, TreeInput};
    use spanql_model::columns;

    fn rows(text: &str) -> Vec<TreeRow> {
        tree_rows(&tree_columns_of(&batch(&table(text))).unwrap())
    }

    /// `depth left-right root children/descendants`, then `o` for an orphan and `c` for a member of a cycle.
    fn shapes(text: &str) -> Vec<String> {
        let shape = |row: TreeRow| {
            let flags = [(row.orphan, " o"), (row.cycle, " c")].map(|(is, flag)| if is { flag } else { "" }).concat();
            let root = row.root_id.unwrap_or_else(|| "-".into());
            let (depth, left, right) = (row.depth, row.left, row.right);
            format!("{depth} {left}-{right} {root} {}/{}{flags}", row.children, row.descendants)
        };
        rows(text).into_iter().map(shape).collect()
    }

    #[test]
    fn siblings_are_ordered_by_start_then_id() {
        let got = shapes(
            "d root 20 30
             c root 10 30
             root - 0 100
             b root 10 20
             a root - 20
             x c    11 12",
        );
        assert_eq!(
            got,
            [
                "2 10-11 root 0/0",
                "2 6-9 root 1/1",
                "1 1-12 root 4/5",
                "2 4-5 root 0/0",
                "2 2-3 root 0/0",
                "3 7-8 root 0/0"
            ]
        );
    }

    #[test]
    fn orphans_and_roots_stand_at_the_top_in_one_order() {
        let got = shapes(
            "late    -    50 60
             orphan  gone 10 20
             below   orphan 11 12
             untimed ''   - -",
        );
        assert_eq!(got, ["1 7-8 late 0/0", "1 3-6 orphan 1/1 o", "2 4-5 orphan 0/0", "1 1-2 untimed 0/0"]);
    }

    #[test]
    fn a_self_parent_is_a_cycle_of_one() {
        let got = shapes(
            "a a 0 10
             b a 1 2",
        );
        assert_eq!(got, ["1 1-4 a 1/1 c", "2 2-3 a 0/0"]);
    }

    #[test]
    fn a_cycle_is_cut_above_its_earliest_member() {
        let got = shapes(
            "a c 5 10
             b a 3 10
             c b 4 10
             d c 0 10",
        );
        assert_eq!(got, ["3 5-6 b 0/0 c", "1 1-8 b 1/3 c", "2 2-7 b 2/2 c", "3 3-4 b 0/0"]);
    }

    #[test]
    fn the_earliest_member_has_no_start_or_the_smaller_id() {
        let untimed = shapes(
            "a b 0 1
             b a - 1",
        );
        assert_eq!(untimed, ["2 2-3 b 0/0 c", "1 1-4 b 1/1 c"]);
        let tied = shapes(
            "b a 0 1
             a b 0 1",
        );
        assert_eq!(tied, ["2 2-3 a 0/0 c", "1 1-4 a 1/1 c"]);
    }

    #[test]
    fn a_parent_id_means_the_first_row_that_has_it() {
        let got = shapes(
            "root - 0 9
             a root 2 3
             a root 1 3
             b a    4 5",
        );
        assert_eq!(got, ["1 1-8 root 2/3", "2 4-7 root 1/1", "2 2-3 root 0/0", "3 5-6 root 0/0"]);
    }

    #[test]
    fn a_row_is_not_the_child_of_its_twin() {
        let got = shapes(
            "a - 0 9
             a a 1 2",
        );
        assert_eq!(got, ["1 1-2 a 0/0", "1 3-4 a 0/0 c"]);
    }

    #[test]
    fn a_row_without_id_has_no_children_and_names_no_root() {
        let got = shapes(
            "- -  0 9
             b '' 1 2
             - b  1 2",
        );
        assert_eq!(got, ["1 1-2 - 0/0", "1 3-6 b 1/1", "2 4-5 b 0/0"]);
    }

    #[test]
    fn traces_in_any_places_do_not_see_each_other() {
        let mut spans = table(
            "a - 0 9
             b a 1 2
             c a 1 2",
        );
        spans[1].trace = "other".into();
        let got = tree_rows(&tree_columns_of(&batch(&spans)).unwrap());
        assert_eq!(got.iter().map(|row| (row.left, row.right)).collect::<Vec<_>>(), [(1, 4), (1, 2), (2, 3)]);
        assert_eq!(got.iter().map(|row| row.orphan).collect::<Vec<_>>(), [false, true, false]);

        spans[1].trace = "t".into();
        let projects = StringArray::from(vec![Some("p"), Some("q"), Some("p")]);
        let with_projects = with_column(&batch(&spans), columns::PROJECT, Arc::new(projects));
        assert_eq!(tree_rows(&tree_columns_of(&with_projects).unwrap()), got);
    }

    #[test]
    fn other_representations_of_text_and_time_are_read() {
        let plain = batch(&table(
            "a - 0 9
             b a 1 2",
        ));
        let mut other = plain.clone();
        let view = cast(plain.column_by_name(columns::SPAN_ID).unwrap(), &DataType::Utf8View).unwrap();
        other = with_column(&other, columns::SPAN_ID, view);
        let traces: DictionaryArray<Int32Type> = ["t", "t"].into_iter().collect();
        other = with_column(&other, columns::TRACE_ID, Arc::new(traces));
        let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
        other = with_column(
            &other,
            columns::END_TIME,
            cast(plain.column_by_name(columns::END_TIME).unwrap(), &millis).unwrap(),
        );
        assert_eq!(tree_rows(&tree_columns_of(&other).unwrap()), tree_rows(&tree_columns_of(&plain).unwrap()));

        let wrong = with_column(&plain, columns::START_TIME, Arc::new(StringArray::from(vec!["now", "then"])));
        assert!(matches!(tree_columns_of(&wrong), Err(TraceError::WrongType { name: columns::START_TIME, .. })));
        let missing = plain.project(&[0, 1, 3, 4]).unwrap();
        assert!(matches!(tree_columns_of(&missing), Err(TraceError::MissingColumn(columns::PARENT_ID))));
    }

    #[test]
    fn no_rows_give_empty_columns() {
        let got = tree_columns_of(&batch(&[])).unwrap();
        assert_eq!(got.len(), columns::TREE.len());
        assert!(got.iter().all(|column| column.is_empty()));
    }

    const MANY: usize = 1_000_000;

    /// The columns of a million spans with scattered ids, with parents as given.
    fn many(parent: impl Fn(usize) -> Option<usize>, traces: &[Range<usize>]) -> Vec<ArrayRef> {
        let id = |n: usize| format!("{:016x}", (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let span_id = (0..MANY).map(|n| Some(id(n))).collect::<StringArray>();
        let parent_id = (0..MANY).map(|n| parent(n).map(id)).collect::<StringArray>();
        let time = |offset: i64| {
            TimestampNanosecondArray::from_iter_values((0..MANY as i64).map(|n| (n * 7_919) % 1_000 + offset))
        };
        let (start_time, end_time) = (time(0), time(500));
        let input =
            TreeInput { span_id: &span_id, parent_id: &parent_id, start_time: &start_time, end_time: &end_time };
        let clock = Instant::now();
        let columns = tree_columns(&input, None, traces).unwrap();
        println!("{MANY} spans in {} traces took {:?}", traces.len(), clock.elapsed());
        // Far beyond what it takes, far below what anything quadratic would.
        assert!(clock.elapsed().as_secs() < 60, "{:?}", clock.elapsed());
        columns
    }

    fn ints<'a>(columns: &'a [ArrayRef], name: &str) -> &'a [i32] {
        let index = columns::TREE.iter().position(|column| column.name == name).unwrap();
        columns[index].as_primitive::<Int32Type>().values()
    }

    #[test]
    fn a_chain_of_a_million() {
        let columns = many(|n| n.checked_sub(1), std::slice::from_ref(&(0..MANY)));
        let n = MANY as i32;
        assert!(ints(&columns, "tree.depth").iter().copied().eq(1..=n));
        assert!(ints(&columns, "tree.left").iter().copied().eq(1..=n));
        assert!(ints(&columns, "tree.right").iter().copied().eq((n + 1..=2 * n).rev()));
        assert!(ints(&columns, "tree.descendants").iter().copied().eq((0..n).rev()));
    }

    #[test]
    fn a_fan_of_a_million() {
        let columns = many(|n| (n > 0).then_some(0), std::slice::from_ref(&(0..MANY)));
        let (left, right) = (ints(&columns, "tree.left"), ints(&columns, "tree.right"));
        assert_eq!((left[0], right[0], ints(&columns, "tree.children")[0]), (1, 2 * MANY as i32, MANY as i32 - 1));
        assert!(ints(&columns, "tree.depth")[1..].iter().all(|&depth| depth == 2));
        assert!(left[1..].iter().zip(&right[1..]).all(|(left, right)| left + 1 == *right));
    }

    #[test]
    fn a_cycle_of_a_million() {
        let columns = many(|n| Some(n.checked_sub(1).unwrap_or(MANY - 1)), std::slice::from_ref(&(0..MANY)));
        assert_eq!(columns[9].as_boolean().true_count(), MANY);
        assert_eq!(columns[8].as_boolean().true_count(), 0);
        assert_eq!(ints(&columns, "tree.depth").iter().filter(|&&depth| depth == 1).count(), 1);
    }

    #[test]
    fn small_traces_after_a_large_one_cost_no_more_for_it() {
        let half = MANY / 2;
        let traces: Vec<Range<usize>> = std::iter::once(0..half).chain((half..MANY).map(|n| n..n + 1)).collect();
        let columns = many(|n| (n > 0 && n < half).then_some(n / 2), &traces);
        assert!(ints(&columns, "tree.right")[half..].iter().all(|&right| right == 2));
        assert_eq!(ints(&columns, "tree.right")[0], MANY as i32);
    }
}
