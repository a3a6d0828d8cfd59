//! Text line by line.

use std::io::{self, BufRead, Read};

use crate::model::arrival::MAX_ROW_BYTES;

/// One line of a text, or what is known of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line is in the buffer, without its end.
    Whole,
    /// The line is longer than a row may be and was passed over.
    TooLong,
    /// There are no more lines.
    End,
}

/// Reads one line into `buffer`, replacing what is there.
pub(super) fn read_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let limit = MAX_ROW_BYTES + 1;
    if reader.by_ref().take(limit as u64).read_until(b'\n', buffer)? == 0 {
        return Ok(Line::End);
    }
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
    } else if buffer.len() == limit {
        *buffer = Vec::new();
        skip_line(reader)?;
        return Ok(Line::TooLong);
    }
    if buffer.last() == Some(&b'\r') {
        buffer.pop();
    }
    Ok(Line::Whole)
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let chunk = reader.fill_buf()?;
        if chunk.is_empty() {
            return Ok(());
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(chunk.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines_are_cut_off() {
        let mut text = &b"a\r\n\nb\r"[..];
        let mut buffer = b"old".to_vec();
        let mut lines = Vec::new();
        while read_line(&mut text, &mut buffer).unwrap() == Line::Whole {
            lines.push(String::from_utf8(buffer.clone()).unwrap());
        }
        assert_eq!(lines, ["a", "", "b"]);
    }

    #[test]
    fn the_rest_of_a_line_is_passed_over() {
        let mut text = &b"abc\nd"[..];
        skip_line(&mut text).unwrap();
        assert_eq!(text, b"d");
        skip_line(&mut text).unwrap();
        assert_eq!(text, b"");
    }
}
