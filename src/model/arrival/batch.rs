//! Arrivals from record batches of any shape, column by column.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{filter_record_batch, nullif, take};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use super::arrays::{self, Bad};
use super::changes::{self, Change, Changes};
use super::keys::{PLACES, Resolved, Target, is_family, resolve};
use super::rows::known_source;
use super::{Misfit, Origin, metadata};
use crate::columns::CANONICAL;
use crate::json::{MAX_DEPTH, Value};

/// What [`convert_batch`] made of a batch.
#[derive(Debug)]
pub struct Converted {
    /// The rows that fit, in their order: an arrival.
    pub batch: RecordBatch,
    /// The rows that did not, by their number in the given batch (from 0), ascending.
    pub bad: Vec<(usize, Misfit)>,
    /// Root names whose values were kept as `attributes.<name>`.
    pub moved: BTreeSet<String>,
    /// What changed of the values of rows that fit, by their number in the given batch, with their columns.
    pub changes: Vec<(usize, Change, String)>,
}

/// Turns a batch with an export's column names into an arrival.
///
/// Dictionaries, string views, large types, numbers of any width, decimals, timestamps of any unit and zone, lists,
/// structs and maps are read; structs and maps above the level of columns are taken apart into dotted names.
///
/// # Errors
///
/// When a column's type cannot be read at all.
pub fn convert_batch(batch: &RecordBatch, origin: &Origin) -> Result<Converted, ArrowError> {
    convert(batch, origin, false)
}

/// Does the same, and takes rows of which a value would change for rows that do not fit.
///
/// # Errors
///
/// As [`convert_batch`].
pub fn convert_batch_strictly(batch: &RecordBatch, origin: &Origin) -> Result<Converted, ArrowError> {
    convert(batch, origin, true)
}

fn convert(batch: &RecordBatch, origin: &Origin, strict: bool) -> Result<Converted, ArrowError> {
    let mut gathered = Gathered {
        origin,
        rows: batch.num_rows(),
        fixed: vec![None; CANONICAL.len()],
        fallbacks: Vec::new(),
        metadata_keys: BTreeMap::new(),
        open: BTreeMap::new(),
        bad: Bad::new(),
        moved: BTreeSet::new(),
        changes: Vec::new(),
    };
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = field.name();
        gathered.add(name, name, array, 0).map_err(|error| ArrowError::CastError(format!("{name}: {error}")))?;
    }
    gathered.finish(strict)
}

struct Gathered<'a> {
    origin: &'a Origin,
    rows: usize,
    /// One per canonical column.
    fixed: Vec<Option<ArrayRef>>,
    fallbacks: Vec<(usize, ArrayRef)>,
    metadata_keys: BTreeMap<String, Vec<StringArray>>,
    open: BTreeMap<String, Vec<ArrayRef>>,
    bad: Bad,
    moved: BTreeSet<String>,
    changes: Changes,
}

impl Gathered<'_> {
    /// Adds the column of this full name, which lies under the batch's column `root`.
    fn add(&mut self, name: &str, root: &str, array: &ArrayRef, depth: usize) -> Result<(), ArrowError> {
        if depth > MAX_DEPTH {
            return Err(ArrowError::SchemaError("nested too deep".to_owned()));
        }
        let array = &arrays::plain(array)?;
        if array.logical_null_count() == array.len() {
            return Ok(());
        }
        let Resolved { target, column, moved } = resolve(name);
        if target != Target::Drop {
            changes::of_array(name, array, &mut self.changes);
        }
        match (target, array.data_type()) {
            (Target::Open, DataType::Struct(_)) => return self.add_struct(name, root, array, depth),
            (Target::Open, DataType::Map(..)) => return self.add_map(name, root, array, depth),
            (Target::Canonical(index), _) if index == PLACES.project && self.origin.force_project => return Ok(()),
            (Target::Canonical(index), _) => {
                let later = arrays::canonical(index, array, &mut self.bad, &mut self.changes)?;
                let place = &mut self.fixed[index];
                *place = Some(match place.take() {
                    Some(earlier) => arrays::over(&later, &earlier)?,
                    None => later,
                });
            }
            (Target::Fallback(index), _) => self.fallbacks.push((index, Arc::clone(array))),
            (Target::MetadataKey, _) => {
                self.metadata_keys.entry(column).or_default().push(arrays::json_texts(array)?);
            }
            (Target::Source, _) => return self.add_source(array),
            (Target::Open, _) => match arrays::open(&column, array)? {
                Some(array) => self.open.entry(column).or_default().push(array),
                None => return Ok(()),
            },
            (Target::Drop, _) => return Ok(()),
        }
        if moved {
            self.moved.insert(root.to_owned());
        }
        Ok(())
    }

    fn add_struct(&mut self, name: &str, root: &str, array: &ArrayRef, depth: usize) -> Result<(), ArrowError> {
        let members = array.as_struct();
        if members.num_columns() == 0 {
            return self.add_empty(name, root, (0..array.len()).map(|row| array.is_valid(row)).collect());
        }
        let absent = array.nulls().map(|nulls| BooleanArray::new(!nulls.inner(), None));
        for (field, member) in members.fields().iter().zip(members.columns()) {
            let member = match &absent {
                Some(absent) => nullif(&arrays::plain(member)?, absent)?,
                None => Arc::clone(member),
            };
            self.add(&format!("{name}.{}", field.name()), root, &member, depth + 1)?;
        }
        Ok(())
    }

    /// A column for each key: its values are picked from the map's entries.
    fn add_map(&mut self, name: &str, root: &str, array: &ArrayRef, depth: usize) -> Result<(), ArrowError> {
        let map = array.as_map();
        let keys = arrays::texts(&arrays::plain(map.keys())?)?;
        let mut by_key: Vec<(&str, Vec<Option<usize>>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut empty = vec![false; self.rows];
        for row in (0..self.rows).filter(|row| map.is_valid(*row)) {
            let entries = map.value_offsets()[row] as usize..map.value_offsets()[row + 1] as usize;
            empty[row] = entries.is_empty();
            for entry in entries.filter(|entry| keys.is_valid(*entry)) {
                let key = keys.value(entry);
                let place = *places.entry(key).or_insert_with(|| {
                    by_key.push((key, vec![None; self.rows]));
                    by_key.len() - 1
                });
                by_key[place].1[row] = Some(entry);
            }
        }
        for (key, entries) in by_key {
            let values = take(map.values(), &arrays::indices(entries), None)?;
            self.add(&format!("{name}.{key}"), root, &values, depth + 1)?;
        }
        self.add_empty(name, root, empty)
    }

    /// Rows with an empty object have the text `{}` in the column of that name.
    fn add_empty(&mut self, name: &str, root: &str, empty: Vec<bool>) -> Result<(), ArrowError> {
        if is_family(name) || !empty.contains(&true) {
            return Ok(());
        }
        let texts: StringArray = empty.into_iter().map(|empty| empty.then_some("{}")).collect();
        let Resolved { column, moved, .. } = resolve(name);
        self.open.entry(column).or_default().push(Arc::new(texts));
        if moved {
            self.moved.insert(root.to_owned());
        }
        Ok(())
    }

    fn add_source(&mut self, array: &ArrayRef) -> Result<(), ArrowError> {
        let texts = arrays::texts(array)?;
        let known = |text: &&str| known_source(Value::Text(text)).is_some();
        let words: StringArray = texts.iter().map(|text| text.filter(known)).collect();
        let others: StringArray = texts.iter().map(|text| text.filter(|text| !known(text))).collect();
        self.fixed[PLACES.source] = Some(Arc::new(words));
        if others.null_count() < others.len() {
            self.moved.insert("source".to_owned());
            self.open.entry("attributes.source".to_owned()).or_default().push(Arc::new(others));
        }
        Ok(())
    }

    fn finish(mut self, strict: bool) -> Result<Converted, ArrowError> {
        self.fill_in()?;
        for (row, change, column) in self.changes.iter().filter(|_| strict) {
            let reason = format!("a value that {}", change.complaint());
            self.bad.entry(*row).or_insert(Misfit::Value { column: column.clone(), reason });
        }
        let bad = &self.bad;
        self.changes.retain(|(row, ..)| !bad.contains_key(row));
        let single = self.fold_metadata();
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (column, array) in CANONICAL.iter().zip(&self.fixed) {
            if let Some(array) = array.as_ref().filter(|array| array.null_count() < array.len() || array.is_empty()) {
                fields.push(Field::new(column.name, column.data_type.clone(), true));
                columns.push(Arc::clone(array));
            }
        }
        for (name, arrays) in &self.open {
            if let Some(array) = arrays::united(arrays)? {
                fields.push(Field::new(name, array.data_type().clone(), true));
                columns.push(array);
            }
        }
        let mut batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        batch = metadata::set_apart(batch, &single)?;
        if !self.bad.is_empty() {
            let good: BooleanArray = (0..self.rows).map(|row| Some(!self.bad.contains_key(&row))).collect();
            batch = filter_record_batch(&batch, &good)?;
        }
        Ok(Converted { batch, bad: self.bad.into_iter().collect(), moved: self.moved, changes: self.changes })
    }

    /// Fills fallbacks and defaults in, and notes the rows without ids.
    fn fill_in(&mut self) -> Result<(), ArrowError> {
        for (index, array) in std::mem::take(&mut self.fallbacks) {
            let mut bad = Bad::new();
            let fallback = arrays::canonical(index, &array, &mut bad, &mut self.changes)?;
            let place = &mut self.fixed[index];
            if let Some(column) = place {
                // What is wrong with a fallback that is not needed is of no interest.
                bad.retain(|row, _| column.is_null(*row));
                *column = arrays::over(column, &fallback)?;
            } else {
                *place = Some(fallback);
            }
            for (row, misfit) in bad {
                self.bad.entry(row).or_insert(misfit);
            }
        }
        for index in [PLACES.trace_id, PLACES.span_id] {
            for row in 0..self.rows {
                if self.fixed[index].as_ref().is_none_or(|column| column.is_null(row)) {
                    self.bad.entry(row).or_insert_with(|| Misfit::missing(CANONICAL[index].name));
                }
            }
            self.fixed[index].get_or_insert_with(|| Arc::new(StringArray::new_null(self.rows)));
        }
        for (index, default) in [(PLACES.project, &*self.origin.project), (PLACES.source, self.origin.source)] {
            let filled: StringArray = match &self.fixed[index] {
                Some(column) if column.null_count() == 0 => continue,
                Some(column) => column.as_string::<i32>().iter().map(|text| Some(text.unwrap_or(default))).collect(),
                None => std::iter::repeat_n(Some(default), self.rows).collect(),
            };
            self.fixed[index] = Some(Arc::new(filled));
        }
        Ok(())
    }

    /// Returns which rows have metadata from single keys only.
    fn fold_metadata(&mut self) -> BooleanArray {
        if self.metadata_keys.is_empty() {
            return vec![false; self.rows].into();
        }
        let before = self.fixed[PLACES.metadata].take();
        let before = before.as_ref().map(|array| array.as_string::<i32>());
        let fold_row = |row: usize| {
            let text = before.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
            let value = |texts: &StringArray| {
                texts.is_valid(row).then(|| texts.value(row)).filter(|v| *v != "null").map(str::to_owned)
            };
            let keys: BTreeMap<String, String> = self
                .metadata_keys
                .iter()
                .filter_map(|(key, arrays)| Some((key.clone(), arrays.iter().rev().find_map(value)?)))
                .collect();
            if keys.is_empty() { text.map(str::to_owned) } else { Some(metadata::fold(text, keys)) }
        };
        let folded: StringArray = (0..self.rows).map(fold_row).collect();
        let single = (0..self.rows)
            .map(|row| Some(folded.is_valid(row) && before.is_none_or(|texts| texts.is_null(row))))
            .collect();
        self.fixed[PLACES.metadata] = Some(Arc::new(folded));
        single
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::columns::METADATA_PATCH;

    use arrow::array::*;
    use arrow::buffer::OffsetBuffer;
    use arrow::compute::cast;
    use arrow::datatypes::{Fields, Int32Type, TimeUnit, TimestampSecondType};

    use super::*;

    fn origin() -> Origin {
        Origin { source: "file", project: "default".to_owned(), force_project: false }
    }

    /// Converts three rows with ids t/s0, t/s1, t/s2 and these columns.
    fn convert(columns: Vec<(&str, ArrayRef)>) -> Converted {
        let ids: [(&str, ArrayRef); 2] = [
            ("context.trace_id", Arc::new(StringArray::from(vec!["t"; 3]))),
            ("context.span_id", Arc::new(StringArray::from(vec!["s0", "s1", "s2"]))),
        ];
        let batch = RecordBatch::try_from_iter(ids.into_iter().chain(columns)).unwrap();
        convert_batch(&batch, &origin()).unwrap()
    }

    fn column(converted: &Converted, name: &str) -> Option<(DataType, Vec<Option<String>>)> {
        let array = converted.batch.column_by_name(name)?;
        let text = cast(array, &DataType::Utf8).unwrap();
        let cells = text.as_string::<i32>().iter().map(|cell| cell.map(str::to_owned)).collect();
        Some((array.data_type().clone(), cells))
    }

    fn cells(array: ArrayRef, name: &str) -> Vec<Option<String>> {
        column(&convert(vec![(name, array)]), name).map(|(_, cells)| cells).unwrap_or_default()
    }

    fn some(texts: [&str; 3]) -> Vec<Option<String>> {
        texts.map(|text| (text != "-").then(|| text.to_owned())).to_vec()
    }

    #[test]
    fn texts_of_every_encoding() {
        let texts = StringArray::from(vec![Some("a"), None, Some("c")]);
        for data_type in [
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Binary,
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8)),
        ] {
            let array = cast(&texts, &data_type).unwrap();
            assert_eq!(cells(Arc::clone(&array), "name"), some(["a", "-", "c"]), "{data_type}");
            assert_eq!(cells(array, "attributes.x"), some(["a", "-", "c"]), "{data_type}");
        }
        let id: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter([[1u8, 255], [0, 16], [0, 0]].iter()).unwrap());
        assert_eq!(cells(id, "parent_id"), some(["01ff", "0010", "-"]));
        let id: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1]));
        assert_eq!(cells(id, "parent_id"), some(["18446744073709551615", "-", "1"]));
        let whom: ArrayRef = Arc::new(StringArray::from(vec!["", "a", ""]));
        for name in ["attributes.session.id", "attributes.user.id", "attributes.gen_ai.conversation.id"] {
            assert_eq!(cells(Arc::clone(&whom), name), some(["-", "a", "-"]), "{name}");
        }
    }

    #[test]
    fn times_of_every_type() {
        let want = some(["2025-08-19T18:58:15Z", "-", "1970-01-01T00:00:00Z"]);
        let seconds = TimestampSecondArray::from(vec![Some(1_755_629_895), None, Some(0)]);
        for unit in [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond] {
            for zone in [None, Some("+02:00".into())] {
                let array = cast(&seconds.clone().with_timezone("UTC"), &DataType::Timestamp(unit, Some("UTC".into())));
                let array = cast(&array.unwrap(), &DataType::Timestamp(unit, zone)).unwrap();
                assert_eq!(cells(array, "start_time"), want);
            }
        }
        let integers = cast(&seconds, &DataType::Int64).unwrap();
        assert_eq!(cells(Arc::clone(&integers), "start_time"), want);
        assert_eq!(cells(cast(&integers, &DataType::UInt32).unwrap(), "start_time"), want);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![Some(1_755_629_895.0), Some(f64::NAN), Some(0.0)]));
        assert_eq!(cells(floats, "start_time"), want);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["2025-08-19 18:58:15", "", "0"]));
        assert_eq!(cells(texts, "start_time"), want);
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(1), None, Some(-1)]));
        assert_eq!(cells(dates, "start_time"), some(["1970-01-02T00:00:00Z", "-", "1969-12-31T00:00:00Z"]));
    }

    #[test]
    fn rows_that_do_not_fit_are_named_and_left_out() {
        let far = PrimitiveArray::<TimestampSecondType>::from(vec![Some(i64::MAX), Some(1), None]);
        let tokens = Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(2.5)]);
        let converted =
            convert(vec![("start_time", Arc::new(far)), ("attributes.llm.token_count.total", Arc::new(tokens))]);
        let bad: Vec<_> = converted.bad.iter().map(|(row, misfit)| (*row, misfit.to_string())).collect();
        assert_eq!(bad.len(), 2);
        assert!(
            bad[0].1.starts_with("start_time: ") && bad[0].1.ends_with("is outside the years 1678 to 2261"),
            "{bad:?}"
        );
        assert_eq!(bad[1], (2, "attributes.llm.token_count.total: 2.5 is not an integer".to_owned()));
        assert_eq!(converted.batch.num_rows(), 1);
        assert_eq!(column(&converted, "context.span_id").unwrap().1, [Some("s1".to_owned())]);

        let zeros: ArrayRef = Arc::new(StringArray::from(vec!["00", "s1", "0x0"]));
        let zeros = RecordBatch::try_from_iter([("trace_id", Arc::clone(&zeros)), ("span_id", zeros)]).unwrap();
        let converted = convert_batch(&zeros, &origin()).unwrap();
        let bad: Vec<_> = converted.bad.iter().map(|(row, misfit)| (*row, misfit.to_string())).collect();
        let reason = |id: &str| format!("context.trace_id: {id:?} is all zeros, which is no id");
        assert_eq!(bad, [(0, reason("00")), (2, reason("0x0"))]);
        assert_eq!(converted.batch.num_rows(), 1);

        let no_ids =
            RecordBatch::try_from_iter([("name", Arc::new(StringArray::from(vec!["x"])) as ArrayRef)]).unwrap();
        let converted = convert_batch(&no_ids, &origin()).unwrap();
        assert_eq!(converted.bad[0].1.to_string(), "context.trace_id: missing or empty");
        assert_eq!(converted.batch.num_rows(), 0);
    }

    #[test]
    fn lists_structs_and_maps_become_json() {
        let mut list = ListBuilder::new(StringBuilder::new());
        list.append_value([Some("{\"role\": \"user\"}"), Some("plain")]);
        list.append_value([None::<&str>; 0]);
        list.append_null();
        let list: ArrayRef = Arc::new(list.finish());
        assert_eq!(
            cells(Arc::clone(&list), "attributes.llm.input_messages"),
            some(["[{\"role\": \"user\"},\"plain\"]", "[]", "-"])
        );
        assert_eq!(cells(list, "attributes.x"), some(["[\"{\\\"role\\\": \\\"user\\\"}\",\"plain\"]", "[]", "-"]));

        let fields = Fields::from(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]);
        let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
        let b: ArrayRef = Arc::new(StringArray::from(vec![None, Some("x"), Some("y")]));
        let nulls = vec![true, true, false].into();
        let object: ArrayRef = Arc::new(StructArray::new(fields.clone(), vec![a, b], Some(nulls)));
        assert_eq!(cells(Arc::clone(&object), "attributes.metadata"), some(["{\"a\":1}", "{\"b\":\"x\"}", "-"]));
        let item = Arc::new(Field::new("item", object.data_type().clone(), true));
        let objects: ArrayRef = Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2, 1, 0]), object, None));
        assert_eq!(cells(objects, "events"), some(["[{\"a\":1},{\"b\":\"x\"}]", "[null]", "[]"]));
    }

    #[test]
    fn structs_and_maps_above_columns_are_taken_apart() {
        let tokens: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
        let retries: ArrayRef = Arc::new(Int64Array::from(vec![4, 5, 6]));
        let metadata: ArrayRef = Arc::new(StringArray::from(vec![Some("{\"z\": 0}"), None, None]));
        let total = Arc::new(Field::new("llm.token_count.total", DataType::Int32, true));
        let attributes: ArrayRef = Arc::new(StructArray::new(
            Fields::from(vec![
                total.as_ref().clone(),
                Field::new("retries", DataType::Int64, true),
                Field::new("metadata", DataType::Utf8, true),
            ]),
            vec![tokens, retries, metadata],
            Some(vec![true, true, false].into()),
        ));
        let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
        map.keys().append_value("a.b");
        map.values().append_value(7);
        map.keys().append_value("c");
        map.values().append_null();
        map.append(true).unwrap();
        map.append(true).unwrap();
        map.append(false).unwrap();
        let keys: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(2)]));
        let converted = convert(vec![
            ("attributes", attributes),
            ("attributes.retries", Arc::new(Float64Array::from(vec![None, Some(0.5), None]))),
            ("resource", Arc::new(map.finish())),
            ("attributes.metadata.key", keys),
            ("attributes.nothing", Arc::new(NullArray::new(3))),
            ("latency_ms", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ]);
        assert_eq!(
            column(&converted, "attributes.llm.token_count.total").unwrap(),
            (DataType::Int64, some(["1", "-", "-"]))
        );
        assert_eq!(column(&converted, "attributes.retries").unwrap(), (DataType::Float64, some(["4.0", "0.5", "-"])));
        assert_eq!(column(&converted, "attributes.resource.a.b").unwrap(), (DataType::Int64, some(["7", "-", "-"])));
        assert_eq!(column(&converted, "attributes.resource").unwrap().1, some(["-", "{}", "-"]));
        assert_eq!(column(&converted, "attributes.metadata").unwrap().1, some(["{\"z\": 0,\"key\":1}", "-", "-"]));
        assert_eq!(column(&converted, METADATA_PATCH).unwrap().1, some(["-", "-", "{\"key\":2}"]));
        for absent in ["attributes.nothing", "attributes.resource.c", "latency_ms", "attributes.metadata.key"] {
            assert!(column(&converted, absent).is_none(), "{absent}");
        }
        assert_eq!(converted.moved.into_iter().collect::<Vec<_>>(), ["resource"]);
    }

    #[test]
    fn open_types() {
        let int = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let type_of = |array: ArrayRef| column(&convert(vec![("attributes.v", array)]), "attributes.v");
        assert_eq!(
            type_of(cast(&int(vec![1, 2, 3]), &DataType::UInt8).unwrap()),
            Some((DataType::Int64, some(["1", "2", "3"])))
        );
        assert_eq!(
            type_of(Arc::new(UInt64Array::from(vec![u64::MAX, 0, 1]))),
            Some((DataType::Utf8, some(["18446744073709551615", "0", "1"])))
        );
        assert_eq!(
            type_of(Arc::new(Float32Array::from(vec![0.5, f32::NAN, f32::INFINITY]))),
            Some((DataType::Float64, some(["0.5", "-", "-"])))
        );
        let decimals = Decimal128Array::from(vec![150, 200, 5]).with_precision_and_scale(5, 2).unwrap();
        assert_eq!(type_of(Arc::new(decimals)), Some((DataType::Float64, some(["1.5", "2.0", "0.05"]))));
        let dictionary: DictionaryArray<Int32Type> = vec!["x", "y", "x"].into_iter().collect();
        assert_eq!(type_of(Arc::new(dictionary)), Some((DataType::Utf8, some(["x", "y", "x"]))));
        let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1, 2, 3]));
        assert_eq!(
            column(&convert(vec![("annotation.q.updated_at", times)]), "annotation.q.updated_at").unwrap().0,
            DataType::Int64
        );
        // Two columns for one name, through a struct and by its full name.
        let members = StructArray::new(
            Fields::from(vec![Field::new("v", DataType::Int64, true)]),
            vec![int(vec![1, 2, i64::MAX])],
            None,
        );
        let later = Float64Array::from(vec![None, Some(2.5), None]);
        let converted = convert(vec![("attributes", Arc::new(members)), ("attributes.v", Arc::new(later))]);
        assert_eq!(
            column(&converted, "attributes.v"),
            Some((DataType::Utf8, some(["1", "2.5", "9223372036854775807"])))
        );
    }

    #[test]
    fn notes_are_the_same_as_texts_and_as_objects() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("{\"text\": \"a\"}"), None, Some("plain")]);
        lists.append_null();
        lists.append_value([Some("[1]")]);
        let lists: ArrayRef = Arc::new(lists.finish());
        let notes = some(["[{\"text\": \"a\"},null,\"plain\"]", "-", "[[1]]"]);
        assert_eq!(cells(Arc::clone(&lists), "annotation.notes"), notes);
        let wrapped = some(["[\"{\\\"text\\\": \\\"a\\\"}\",null,\"plain\"]", "-", "[\"[1]\"]"]);
        assert_eq!(cells(lists, "annotation.other.text"), wrapped, "other lists of texts stay lists of texts");
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("[{\"text\": \"a\"}]"), None, Some("no list")]));
        assert_eq!(cells(texts, "annotation.notes"), some(["[{\"text\": \"a\"}]", "-", "no list"]));
    }

    #[test]
    fn fallbacks_sources_and_projects() {
        let text = |values: [Option<&str>; 3]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
        let converted = convert(vec![
            ("time", text([Some("1"), Some("2"), Some("not needed")])),
            ("start_time", text([None, Some(""), Some("3")])),
            ("span_kind", text([Some("llm"), Some("tool"), None])),
            ("attributes.openinference.span.kind", text([None, Some("Agent"), None])),
            ("source", text([Some("opik"), Some("mine"), None])),
            ("project", text([Some("p"), None, Some("")])),
        ]);
        assert!(converted.bad.is_empty(), "{:?}", converted.bad);
        for (name, want) in [
            ("start_time", ["1970-01-01T00:00:01Z", "1970-01-01T00:00:02Z", "1970-01-01T00:00:03Z"]),
            ("attributes.openinference.span.kind", ["LLM", "AGENT", "-"]),
            ("source", ["opik", "file", "file"]),
            ("attributes.source", ["-", "mine", "-"]),
            ("project", ["p", "default", "default"]),
        ] {
            assert_eq!(column(&converted, name).unwrap().1, some(want), "{name}");
        }
        assert_eq!(converted.moved.into_iter().collect::<Vec<_>>(), ["source"]);
    }
}
