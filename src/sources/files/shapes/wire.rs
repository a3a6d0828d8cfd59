//! The encoding of protocol buffers: fields one after the other, each with a number and a value.
//!
//! Fields are handed out as slices of what was read, so that a message takes no more memory than its bytes; a decoder that
//! makes objects of them could be made to take many times as much.

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::files) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message, in the order in which they stand; an error ends them.
#[derive(Debug, Clone)]
pub(in crate::files) struct Fields<'a> {
    bytes: &'a [u8],
}

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message of OTLP")]
pub(in crate::files) struct NoMessage;

impl<'a> Fields<'a> {
    pub(in crate::files) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    fn field(&mut self) -> Result<(u64, Wire<'a>), NoMessage> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| NoMessage)?;
                let (bytes, rest) = self.bytes.split_at_checked(length).ok_or(NoMessage)?;
                self.bytes = rest;
                Wire::Bytes(bytes)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(NoMessage),
        };
        Ok((key >> 3, value))
    }

    fn varint(&mut self) -> Result<u64, NoMessage> {
        let (value, length) = varint(self.bytes).ok_or(NoMessage)?;
        self.bytes = self.bytes.get(length..).unwrap_or_default();
        Ok(value)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NoMessage> {
        let (array, rest) = self.bytes.split_first_chunk::<N>().ok_or(NoMessage)?;
        self.bytes = rest;
        Ok(*array)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), NoMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.bytes = &[];
        }
        Some(field)
    }
}

/// The integer that begins here, and how many bytes it takes; `None` where none does, or where the bytes end before it.
pub(in crate::files) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_kind() {
        let bytes = b"\x08\x96\x01\x12\x02hi\x19\x01\0\0\0\0\0\0\0\x25\x02\0\0\0";
        let fields: Vec<_> = Fields::new(bytes).map(Result::unwrap).collect();
        let want = [(1, Wire::Varint(150)), (2, Wire::Bytes(b"hi")), (3, Wire::Fixed64(1)), (4, Wire::Fixed32(2))];
        assert_eq!(fields, want);
        for cut in 1..bytes.len() {
            // A cut between fields cannot be told from an end.
            let _ = Fields::new(&bytes[..cut]).collect::<Vec<_>>();
        }
        for broken in [
            &b"\x12\x05hi"[..],
            b"\x0b",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        ] {
            assert_eq!(Fields::new(broken).next(), Some(Err(NoMessage)), "{broken:?}");
        }
    }
}
