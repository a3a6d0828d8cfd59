//! Text line by line.

use std::io::{self, BufRead, Read};

use super::limits::{PASSED_OVER, without_end};

/// One line of a text, or what is known of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line is in the buffer, without its end.
    Whole,
    /// The line is longer than a row may be; its rest is still to be passed over, see [`skip_line`].
    TooLong,
    /// There are no more lines.
    End,
}

/// Reads one line of at most so many bytes into `buffer`, replacing what is there.
pub(super) fn read_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>, longest: usize) -> io::Result<Line> {
    buffer.clear();
    let limit = longest.saturating_add(1);
    if reader.by_ref().take(limit as u64).read_until(b'\n', buffer)? == 0 {
        return Ok(Line::End);
    }
    if buffer.last() == Some(&b'\n') {
        buffer.pop();
    } else if buffer.len() == limit {
        *buffer = Vec::new();
        return Ok(Line::TooLong);
    }
    if buffer.last() == Some(&b'\r') {
        buffer.pop();
    }
    Ok(Line::Whole)
}

/// Passes over the rest of a line.
pub(super) fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    let passed = reader.by_ref().take(PASSED_OVER).skip_until(b'\n')?;
    if passed as u64 == PASSED_OVER { Err(without_end()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_lines_are_cut_off() {
        let mut text = &b"a\r\n\nb\r"[..];
        let mut buffer = b"old".to_vec();
        let mut lines = Vec::new();
        while read_line(&mut text, &mut buffer, 9).unwrap() == Line::Whole {
            lines.push(String::from_utf8(buffer.clone()).unwrap());
        }
        assert_eq!(lines, ["a", "", "b"]);
    }

    #[test]
    fn the_rest_of_a_line_is_passed_over() {
        let mut text = &b"aaaabc\nd"[..];
        assert_eq!(read_line(&mut text, &mut Vec::new(), 3).unwrap(), Line::TooLong);
        skip_line(&mut text).unwrap();
        assert_eq!(text, b"d");
        skip_line(&mut text).unwrap();
        assert_eq!(text, b"");
    }
}
