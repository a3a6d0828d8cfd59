//! Putting patches of one segment together.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};

use super::facts::PatchFacts;
use super::file::{Piece, ROW, load};
use super::overlay::{Layer, Overlay};
use crate::entries::{PatchRef, Segment};
use crate::error::{Result, StoreError};
use crate::location::StoreLocation;

/// Puts what is patched now together with the last patches of the segment, as far as these are not much larger: so there
/// are few of them, however many commits there were. Gives the patches that stay as they are, too.
pub(super) async fn join(
    location: &StoreLocation,
    segment: &Segment,
    now: Vec<Layer>,
) -> Result<(Piece, Vec<PatchRef>)> {
    let mut rows: u64 = now.iter().map(|layer| layer.rows.len() as u64).sum();
    let mut kept = segment.patches.clone();
    let mut taken = Vec::new();
    while let Some(last) = kept.pop_if(|last| last.rows <= 2 * rows) {
        rows += last.rows;
        taken.push(last);
    }
    let mut layers = Vec::with_capacity(taken.len() + now.len());
    for patch in taken.iter().rev() {
        layers.push(load(location, &segment.id, patch, true).await?);
    }
    layers.extend(now);
    Ok((combine(&segment.id, layers)?, kept))
}

/// One patch that says what several say, of which later ones count.
fn combine(segment: &str, layers: Vec<Layer>) -> Result<Piece> {
    let mut facts: BTreeMap<String, PatchFacts> = BTreeMap::new();
    for (name, later) in layers.iter().flat_map(|layer| &layer.facts) {
        match facts.get_mut(name) {
            Some(known) => known.add(later),
            None => drop(facts.insert(name.clone(), later.clone())),
        }
    }
    let mut rows: Vec<u64> = layers.iter().flat_map(|layer| layer.rows.iter().copied()).collect();
    rows.sort_unstable();
    rows.dedup();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let failed = || StoreError::arrow("joining patches");
    let nothing = RecordBatch::try_new_with_options(Schema::empty().into(), Vec::new(), &options).map_err(failed())?;
    let values = Overlay { layers }.at(&rows).batch(&nothing)?;
    let mut fields = vec![Arc::new(Field::new(ROW, DataType::UInt64, false))];
    fields.extend(values.schema_ref().fields().iter().cloned());
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(rows))];
    arrays.extend(values.columns().iter().cloned());
    let values = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(failed())?;
    Ok(Piece { segment: segment.to_owned(), values, facts })
}
