//! Which columns the spans of a schema arrive in, told before any of them is there.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Field, Fields, Schema};

use super::arrays;
use super::keys::{Resolved, Target, resolve};
use crate::columns::{CANONICAL, METADATA_PREFIX};
use crate::json::MAX_DEPTH;
use crate::types::OpenType;

/// The columns that [`convert_batch`](super::convert_batch) makes of batches of this schema, as far as the schema
/// tells, with their types: canonical and open ones, and `attributes.metadata.<key>` for keys that come on their own.
///
/// Structs are taken apart; the keys of maps are not known before they come. A column may come in another type than
/// told here: integers beyond 64 bits become text.
pub fn span_schema(schema: &Schema) -> BTreeMap<String, DataType> {
    let mut columns = BTreeMap::new();
    add_fields("", schema.fields(), 0, &mut columns);
    columns.into_iter().map(|(name, (_, data_type))| (name, data_type)).collect()
}

type ColumnTypes = BTreeMap<String, (Option<OpenType>, DataType)>;

fn add_fields(prefix: &str, fields: &Fields, depth: usize, columns: &mut ColumnTypes) {
    for field in fields {
        let name = if depth == 0 { field.name().clone() } else { format!("{prefix}.{}", field.name()) };
        add(&name, field, depth, columns);
    }
}

fn add(name: &str, field: &Field, depth: usize, columns: &mut ColumnTypes) {
    let data_type = arrays::plain_type(field.data_type());
    if depth > MAX_DEPTH || *data_type == DataType::Null {
        return;
    }
    let Resolved { target, column, .. } = resolve(name);
    match (target, data_type) {
        (Target::Canonical(index) | Target::Fallback(index), _) => {
            let column = &CANONICAL[index];
            columns.insert(column.name.to_owned(), (None, column.data_type.clone()));
        }
        (Target::Open, DataType::Struct(members)) => add_fields(name, members, depth + 1, columns),
        (Target::Open, DataType::Map(..)) | (Target::Source | Target::Drop, _) => {}
        (Target::MetadataKey, data_type) if arrays::is_nested(data_type) => {}
        (Target::MetadataKey, data_type) => unite(format!("{METADATA_PREFIX}{column}"), data_type, columns),
        (Target::Open, data_type) => unite(column, data_type, columns),
    }
}

/// Two columns of one name become one, of the type that holds both.
fn unite(column: String, data_type: &DataType, columns: &mut ColumnTypes) {
    let open = arrays::open_type_of(&column, data_type);
    let entry = columns.entry(column).or_insert_with(|| (Some(open), open.data_type()));
    let united = entry.0.map_or(open, |before| before.unite(open));
    *entry = (Some(united), united.data_type());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{RecordBatch, new_null_array};
    use arrow::compute::{cast, concat};
    use arrow::datatypes::TimeUnit;

    use super::super::{Origin, convert_batch};
    use super::*;

    fn schema_of(fields: Vec<(&str, DataType)>) -> Vec<(String, DataType)> {
        let fields: Vec<Field> = fields.into_iter().map(|(name, t)| Field::new(name, t, true)).collect();
        span_schema(&Schema::new(fields)).into_iter().collect()
    }

    fn named(columns: &[(&str, DataType)]) -> Vec<(String, DataType)> {
        columns.iter().map(|(name, data_type)| ((*name).to_owned(), data_type.clone())).collect()
    }

    #[test]
    fn names_are_those_of_arrivals() {
        use DataType::{Float64, Int32, Int64, Utf8};
        let members = Fields::from(vec![Field::new("a", Int32, true), Field::new("b.c", Utf8, true)]);
        let key = Arc::new(Field::new_struct(
            "entries",
            vec![Field::new("keys", Utf8, false), Field::new("values", Utf8, true)],
            false,
        ));
        assert_eq!(
            schema_of(vec![
                ("time", DataType::Timestamp(TimeUnit::Nanosecond, None)),
                ("index", Int64),
                ("latency_ms", Float64),
                ("tree.depth", Int32),
                ("span_kind", Utf8),
                ("custom", Int64),
                ("attributes.s", DataType::Struct(members)),
                ("attributes.m", DataType::Map(key, false)),
                ("attributes.metadata", Utf8),
                ("attributes.metadata.tier", Int64),
                ("attributes.nothing", DataType::Null),
            ]),
            named(&[
                ("attributes.custom", Int64),
                ("attributes.metadata", Utf8),
                ("attributes.metadata.tier", Int64),
                ("attributes.openinference.span.kind", Utf8),
                ("attributes.s.a", Int64),
                ("attributes.s.b.c", Utf8),
                ("start_time", crate::columns::timestamp_type()),
            ])
        );
    }

    #[test]
    fn one_name_twice_has_the_type_of_both() {
        assert_eq!(
            schema_of(vec![("x", DataType::Int32), ("attributes.x", DataType::Float32)]),
            named(&[("attributes.x", DataType::Float64)])
        );
    }

    #[test]
    fn what_is_not_taken_apart_is_not_told() {
        let nested = |depth: usize| {
            let object = |member, _| DataType::Struct(vec![Field::new("a", member, true)].into());
            schema_of(vec![("attributes", (0..depth).fold(DataType::Int64, object))]).len()
        };
        assert_eq!((nested(MAX_DEPTH), nested(MAX_DEPTH + 1)), (1, 0));
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        assert_eq!(schema_of(vec![("attributes.metadata.k", list)]), []);
    }

    /// What is told of a type must be what comes of values of that type.
    #[test]
    fn types_are_those_of_arrivals() {
        use DataType::{
            Boolean, Date32, Decimal128, Dictionary, Float32, Float64, Int8, Int64, LargeUtf8, Timestamp, UInt32,
            UInt64, Utf8, Utf8View,
        };
        let one = Arc::new(arrow::array::Int64Array::from(vec![1])) as arrow::array::ArrayRef;
        let text = Arc::new(arrow::array::StringArray::from(vec!["x"])) as arrow::array::ArrayRef;
        let origin = Origin { source: "arize", project: "p".to_owned(), force_project: true };
        for (from, data_type) in [
            (&one, Boolean),
            (&one, Int8),
            (&one, UInt32),
            (&one, UInt64),
            (&one, Float32),
            (&one, Float64),
            (&one, Decimal128(20, 0)),
            (&one, Decimal128(20, 2)),
            (&one, Timestamp(TimeUnit::Second, None)),
            (&one, Date32),
            (&one, Dictionary(Box::new(Int8), Box::new(Int64))),
            (&text, Utf8View),
            (&text, LargeUtf8),
            (&text, Dictionary(Box::new(Int8), Box::new(Utf8))),
        ] {
            for name in ["attributes.x", "annotation.a.updated_at"] {
                let through = if data_type == Date32 { DataType::Int32 } else { Int64 };
                let values = if Arc::ptr_eq(from, &text) { Arc::clone(from) } else { cast(from, &through).unwrap() };
                let values = cast(&values, &data_type).unwrap();
                let values = concat(&[&values, &new_null_array(&data_type, 1)]).unwrap();
                let batch = RecordBatch::try_from_iter([
                    ("context.trace_id", Arc::new(arrow::array::StringArray::from(vec!["t", "t"])) as _),
                    ("context.span_id", Arc::new(arrow::array::StringArray::from(vec!["a", "b"])) as _),
                    (name, values),
                ])
                .unwrap();
                let told = span_schema(batch.schema_ref());
                let arrived = convert_batch(&batch, &origin).unwrap().batch;
                let arrived = arrived.column_by_name(name).unwrap().data_type();
                assert_eq!(told.get(name), Some(arrived), "{name}: {data_type}");
            }
        }
    }
}
