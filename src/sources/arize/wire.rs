//! Protobuf as far as answers need it: numbers and bytes by the numbers of their fields.

/// The number of a field.
pub(super) type Number = u64;

/// The fields of one message, in their order.
pub(super) struct Fields<'a>(Vec<(Number, Field<'a>)>);

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    /// Takes a message apart; what is of other types is passed over.
    pub(super) fn read(mut message: &'a [u8]) -> Result<Self, String> {
        let mut fields = Vec::new();
        while !message.is_empty() {
            let tag = varint(&mut message)?;
            let number = tag >> 3;
            match tag & 7 {
                0 => fields.push((number, Field::Number(varint(&mut message)?))),
                1 => drop(take(&mut message, 8)?),
                2 => {
                    let length = usize::try_from(varint(&mut message)?).map_err(|_| "a length beyond all sizes")?;
                    fields.push((number, Field::Bytes(take(&mut message, length)?)));
                }
                5 => drop(take(&mut message, 4)?),
                other => return Err(format!("wire type {other}")),
            }
        }
        Ok(Self(fields))
    }

    /// The last number of a field.
    pub(super) fn number(&self, wanted: Number) -> Option<u64> {
        self.0.iter().rev().find_map(|(number, field)| match field {
            Field::Number(value) if *number == wanted => Some(*value),
            _ => None,
        })
    }

    /// All bytes of a repeated field.
    pub(super) fn bytes(&self, wanted: Number) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(number, field)| match field {
            Field::Bytes(bytes) if *number == wanted => Some(*bytes),
            _ => None,
        })
    }

    /// The same as text.
    pub(super) fn texts(&self, wanted: Number) -> impl Iterator<Item = String> {
        self.bytes(wanted).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (taken, rest) = message.split_at_checked(length).ok_or("it ends too early")?;
    *message = rest;
    Ok(taken)
}

fn varint(message: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(message, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err("a number of more than ten bytes".to_owned())
}
