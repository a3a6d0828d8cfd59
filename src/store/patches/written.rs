//! Patch files on their way into a manifest.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use super::file::{Piece, write};
use crate::entries::{PatchRef, Segment};
use crate::error::Result;
use crate::files::WrittenFile;
use crate::lease::Lease;
use crate::location::StoreLocation;
use crate::merge::Counts;
use spanql_model::types::OpenType;

/// Bytes in memory of what comes into one patch file, about.
const FILE_BYTES: usize = 64 << 20;

/// Patch files that were written and are not in a manifest yet.
#[derive(Default)]
pub(crate) struct PatchFiles {
    pub(crate) files: Vec<WrittenFile>,
    /// Segments as they were read, and with other patches.
    pub(crate) patched: Vec<(Segment, Segment)>,
    /// Types of the open columns that have values in them.
    pub(crate) open: BTreeMap<String, OpenType>,
    /// What happens to the spans.
    pub(crate) counts: Counts,
    waiting: Vec<Waiting>,
    bytes: usize,
}

/// A piece that is not written yet.
struct Waiting {
    segment: Segment,
    /// The patches before it.
    stay: Vec<PatchRef>,
    piece: Piece,
}

impl PatchFiles {
    /// Takes a piece, which comes after the patches that stay.
    pub(super) async fn push(
        &mut self,
        (location, lease): (&StoreLocation, &Lease),
        segment: &Segment,
        stay: Vec<PatchRef>,
        piece: Piece,
    ) -> Result<()> {
        self.bytes += piece.values.get_array_memory_size();
        for (name, facts) in &piece.facts {
            if let Some(seen) = facts.open {
                self.open.entry(name.clone()).and_modify(|known| *known = known.unite(seen)).or_insert(seen);
            }
        }
        self.waiting.push(Waiting { segment: segment.clone(), stay, piece });
        if self.bytes > FILE_BYTES { self.flush(location, lease).await } else { Ok(()) }
    }

    /// Writes what waits: into one file, unless a column has different types in different segments.
    pub(super) async fn flush(&mut self, location: &StoreLocation, lease: &Lease) -> Result<()> {
        self.bytes = 0;
        let mut together: Vec<Waiting> = Vec::new();
        let mut types: HashMap<String, DataType> = HashMap::new();
        for waiting in std::mem::take(&mut self.waiting) {
            let fields = waiting.piece.values.schema();
            let has_other =
                |field: &Arc<Field>| types.get(field.name()).is_some_and(|known| known != field.data_type());
            if fields.fields().iter().any(has_other) {
                self.write(location, lease, std::mem::take(&mut together)).await?;
                types.clear();
            }
            types.extend(fields.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())));
            together.push(waiting);
        }
        if together.is_empty() { Ok(()) } else { self.write(location, lease, together).await }
    }

    async fn write(&mut self, location: &StoreLocation, lease: &Lease, together: Vec<Waiting>) -> Result<()> {
        let (mut segments, mut pieces) = (Vec::new(), Vec::new());
        for Waiting { segment, stay, piece } in together {
            segments.push((segment, stay, piece.values.get_array_memory_size() as u64));
            pieces.push(piece);
        }
        let (bytes, references) = write(&lease.file_id(), &pieces)?;
        drop(pieces);
        if let Some(reference) = references.first() {
            let (file, size) = (reference.file(), reference.bytes);
            location.put(&file, bytes.into()).await?;
            self.files.push(WrittenFile { file, size });
        }
        for ((before, mut patches, more_bytes), reference) in segments.into_iter().zip(references) {
            patches.push(reference);
            let memory_bytes = before.memory_bytes + more_bytes;
            self.patched.push((before.clone(), Segment { patches, memory_bytes, ..before }));
        }
        Ok(())
    }
}
