//! Bodies of writes: read no slower than a pace, and unpacked no further than to a limit.

use std::io::{self, Read};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body::Body as _;

use crate::serve::backend::Backend;
use crate::serve::intake::Held;
use crate::serve::pace::Pace;
use crate::serve::refusal::{Refusal, shown};

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
    Deflate,
}

impl Packing {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = encodings.next().map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        match encoding.as_deref() {
            _ if encodings.next().is_some() => Err(Refusal::unreadable("the body is packed more than once")),
            None | Some("" | "identity") => Ok(Self::None),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip),
            Some("deflate") => Ok(Self::Deflate),
            Some(other) => {
                Err(Refusal::unreadable(format!("Content-Encoding {}: send gzip, deflate or none", shown(other))))
            }
        }
    }
}

/// A body that has come, and what it counts for among those of all clients.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    #[expect(dead_code, reason = "held for its end")]
    held: Held,
}

/// Reads a body to its end.
///
/// # Errors
/// When it is too large, packed or not, comes too slowly, or is packed in another way.
pub(super) async fn read(backend: &Backend, headers: &HeaderMap, body: Body) -> Result<Upload, Refusal> {
    let packing = Packing::of(headers)?;
    let most = backend.intake().most();
    if body.size_hint().lower() > most as u64 {
        return Err(Refusal::too_large(most));
    }
    let mut held = backend.intake().incomplete().begin();
    let mut body = std::pin::pin!(body);
    let mut bytes = Vec::new();
    let mut pace = Pace::begin();
    while let Some(frame) = pace.within(std::future::poll_fn(|context| body.as_mut().poll_frame(context))).await? {
        let frame = frame.map_err(|error| Refusal::invalid(format!("the body ends too soon: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(Refusal::too_large(most));
        }
        held.add(data.len())?;
        pace.add(data.len());
        bytes.extend_from_slice(&data);
    }
    let bytes = match packing {
        Packing::None => bytes,
        packing => {
            let unpacked = tokio::task::spawn_blocking(move || unpack(packing, &bytes, most));
            let unpacked = backend.intake().unpacking(unpacked).await?;
            unpacked.map_err(|error| Refusal::internal(format!("the body was not unpacked: {error}")))??
        }
    };
    Ok(Upload { bytes: bytes.into(), held })
}

fn unpack(packing: Packing, bytes: &[u8], most: usize) -> Result<Vec<u8>, Refusal> {
    let mut unpacked = Vec::new();
    let mut read = |reader: &mut dyn Read| -> io::Result<()> {
        reader.take(most as u64 + 1).read_to_end(&mut unpacked)?;
        Ok(())
    };
    let done = match packing {
        Packing::None => read(&mut &*bytes),
        Packing::Gzip => read(&mut MultiGzDecoder::new(bytes)),
        Packing::Deflate => read(&mut ZlibDecoder::new(bytes)),
    };
    done.map_err(|error| Refusal::invalid(format!("the body does not unpack: {error}")))?;
    if unpacked.len() > most { Err(Refusal::too_large(most)) } else { Ok(unpacked) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::{HeaderMap, HeaderValue};

    use super::{Packing, unpack};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_bomb_is_refused_and_what_is_cut_too() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert!(bomb.len() < 2_000);
        assert_eq!(unpack(Packing::Gzip, &bomb, 1 << 20).unwrap().len(), 1 << 20);
        assert!(unpack(Packing::Gzip, &bomb, (1 << 20) - 1).is_err());
        assert!(unpack(Packing::Gzip, &bomb[..bomb.len() - 1], 1 << 20).is_err());
        assert!(unpack(Packing::Gzip, b"no gzip", 1 << 20).is_err());
        assert!(unpack(Packing::Deflate, &bomb, 1 << 20).is_err());
        assert_eq!(unpack(Packing::Gzip, &[gzip(b"a"), gzip(b"b")].concat(), 9).unwrap(), b"ab");
    }

    #[test]
    fn packings_that_are_known() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("content-encoding", HeaderValue::from_static(value));
            }
            Packing::of(&headers).ok()
        };
        assert_eq!(of(&[]), Some(Packing::None));
        assert_eq!(of(&["GZIP"]), Some(Packing::Gzip));
        assert_eq!(of(&["identity"]), Some(Packing::None));
        for refused in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["zstd"]] {
            assert_eq!(of(refused), None, "{refused:?}");
        }
    }
}
