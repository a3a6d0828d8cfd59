//! Manifests: one immutable JSON file a version, saying what the store holds.
//!
//! The file is `{"crc32": "<hex>", "manifest": {…}}`, where the checksum covers the text of the inner object as it
//! stands in the file. A commit creates the next number if it is absent; whoever creates it first has won.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) use super::entries::COMPUTED;
pub(crate) use super::entries::{FileRef, Segment};
use super::error::{Result, StoreError};
use super::folders::{LEDGER, TOMBSTONES};
use super::ids::new_id;
use spanql_model::types::OpenType;

/// The newest format this code reads, and that of new stores. A store of an older one stays in it until it is upgraded:
/// whatever is written to it, its readers may be older, too.
///
/// 2: deletion vectors, patches, segments of one file, side files; what a reader must know beside them, by name.
pub(crate) const FORMAT: u32 = 2;

/// What [`Manifest::requires`] may name: nothing yet beyond what format 2 is.
const KNOWN: [&str; 0] = [];

/// What a store holds at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest's own format.
    pub format: u32,
    /// The version number; 0 is the empty store, which has no file.
    pub version: u64,
    /// What tells it from every other commit: whoever finds a manifest with it knows whose it is.
    #[serde(default)]
    pub commit: String,
    /// When it was committed, RFC 3339 UTC.
    pub created: String,
    /// What made it: `import`, `delete`, `compact`, `restore 7` …
    pub operation: String,
    /// Live segments, ordered by project and first trace start.
    pub segments: Vec<Segment>,
    /// Open columns over all segments, with their united types.
    pub columns: BTreeMap<String, OpenType>,
    /// Keys beyond the limit on open columns, with their united types: they live in the JSON column
    /// `attributes.rest`.
    pub rest: BTreeMap<String, OpenType>,
    /// Id of the file that lists deleted spans.
    pub tombstones: Option<FileRef>,
    /// Id of the file that lists pulls.
    pub ledger: Option<FileRef>,
    /// What a reader must know to read this version right, by name, beyond what its format says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    crc32: String,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

impl Manifest {
    /// The store before its first commit.
    pub fn empty() -> Self {
        Self {
            format: FORMAT,
            version: 0,
            commit: String::new(),
            created: String::new(),
            operation: String::new(),
            segments: Vec::new(),
            columns: BTreeMap::new(),
            rest: BTreeMap::new(),
            tombstones: None,
            ledger: None,
            requires: Vec::new(),
        }
    }

    /// Segments whose computed columns follow older rules than those of this code.
    pub fn outdated(&self) -> usize {
        self.segments.iter().filter(|segment| segment.is_outdated()).count()
    }

    /// The version after another one, before anything of it is changed but what tells them apart.
    pub(crate) fn after(newest: u64, content: &Self, operation: String) -> Self {
        Self {
            version: newest + 1,
            commit: new_id(),
            created: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            operation,
            ..content.clone()
        }
    }

    /// Spans over all segments.
    pub fn rows(&self) -> u64 {
        self.segments.iter().map(|segment| segment.rows).sum()
    }

    /// Traces over all segments.
    pub fn traces(&self) -> u64 {
        self.segments.iter().map(|segment| segment.traces).sum()
    }

    /// Every file this version needs, as paths inside the store.
    pub fn files(&self) -> impl Iterator<Item = String> + '_ {
        self.sized_files().map(|(file, _)| file)
    }

    /// The same with their sizes, where these are known.
    pub(crate) fn sized_files(&self) -> impl Iterator<Item = (String, Option<u64>)> + '_ {
        let tombstones = self.tombstones.iter().map(|reference| (reference.file(TOMBSTONES), None));
        let ledger = self.ledger.iter().map(|reference| (reference.file(LEDGER), None));
        self.segments.iter().flat_map(Segment::files).chain(tombstones).chain(ledger)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let encode = || -> serde_json::Result<Vec<u8>> {
            let inner = serde_json::value::to_raw_value(self)?;
            let crc32 = format!("{:08x}", crc32fast::hash(inner.get().as_bytes()));
            serde_json::to_vec(&Envelope { crc32, manifest: &inner })
        };
        encode().map_err(|error| StoreError::Internal(format!("manifest does not encode: {error}")))
    }

    /// Reads a manifest from the bytes of the named file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for anything but an intact manifest of that version in a format this code knows.
    pub fn from_bytes(file: &str, version: u64, bytes: &[u8]) -> Result<Self> {
        let envelope: Envelope<'_> = serde_json::from_slice(bytes)
            .map_err(|error| StoreError::damaged(file, format!("not a manifest: {error}")))?;
        let text = envelope.manifest.get();
        if format!("{:08x}", crc32fast::hash(text.as_bytes())) != envelope.crc32 {
            return Err(StoreError::damaged(file, "its checksum does not match its content"));
        }
        let newer = |format: u32| format!("format {format} is newer than this spanql reads ({FORMAT}): upgrade spanql");
        let manifest: Self = match serde_json::from_str(text) {
            Ok(manifest) => manifest,
            Err(error) => {
                #[derive(Deserialize)]
                struct Probe {
                    format: u32,
                }
                let reason = match serde_json::from_str(text) {
                    Ok(Probe { format }) if format > FORMAT => newer(format),
                    _ => format!("not a manifest: {error}"),
                };
                return Err(StoreError::damaged(file, reason));
            }
        };
        if manifest.format > FORMAT {
            return Err(StoreError::damaged(file, newer(manifest.format)));
        }
        if let Some(unknown) = manifest.requires.iter().find(|name| !KNOWN.contains(&name.as_str())) {
            let reason = format!("it needs {unknown:?}, which this spanql does not know: upgrade spanql");
            return Err(StoreError::damaged(file, reason));
        }
        if manifest.version != version {
            return Err(StoreError::damaged(file, format!("it holds version {}", manifest.version)));
        }
        Ok(manifest)
    }
}

/// Path of the manifest of a version.
pub(crate) fn manifest_file(version: u64) -> String {
    format!("manifest/{version:020}.json")
}

/// The version of the manifest of a name.
pub(crate) fn version_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".json")?;
    if number.len() == 20 { number.parse().ok() } else { None }
}

/// What is done to take a version back, as its manifest's operation.
pub(crate) fn taking_back(version: u64) -> String {
    format!("undo {version}")
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    #[test]
    fn manifests_without_a_mark_can_be_read() {
        let old = Manifest { version: 7, ..Manifest::empty() };
        let text = String::from_utf8(old.to_bytes().unwrap()).unwrap();
        let inner = text.split_once(r#""manifest":"#).unwrap().1.strip_suffix('}').unwrap();
        let inner = inner.replace(r#""commit":"","#, "");
        let text = format!(r#"{{"crc32":"{:08x}","manifest":{inner}}}"#, crc32fast::hash(inner.as_bytes()));
        assert!(!text.contains("commit"));
        assert_eq!(Manifest::from_bytes("m", 7, text.as_bytes()).unwrap(), old);
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let manifest = Manifest { version: 7, operation: "import".into(), ..Manifest::empty() };
        let bytes = manifest.to_bytes().unwrap();
        assert_eq!(Manifest::from_bytes("m", 7, &bytes).unwrap(), manifest);
        for position in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[position] ^= 1 << bit;
                if let Ok(read) = Manifest::from_bytes("m", 7, &changed) {
                    // Only the letters of the hexadecimal checksum have another spelling.
                    assert_eq!(read, manifest, "byte {position} bit {bit}");
                }
            }
        }
        for length in 0..bytes.len() {
            assert!(Manifest::from_bytes("m", 7, &bytes[..length]).is_err());
        }
        assert!(Manifest::from_bytes("m", 8, &bytes).is_err());
    }
}
