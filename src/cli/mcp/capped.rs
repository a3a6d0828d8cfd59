//! The beginning of a long text.

use std::io::{self, Write};

/// Keeps what fits, and counts the lines behind it.
#[derive(Debug)]
pub(super) struct Capped {
    kept: Vec<u8>,
    most: usize,
    /// Line ends behind what is kept.
    more: u64,
    cut: bool,
}

impl Capped {
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most, more: 0, cut: false }
    }

    /// The whole lines that fit, and how many do not. A first line that is too long alone is cut.
    pub(super) fn finish(self) -> (String, u64) {
        let Self { mut kept, more, cut, .. } = self;
        if !cut {
            return (into_text(kept), 0);
        }
        if let Some(end) = kept.iter().rposition(|byte| *byte == b'\n') {
            kept.truncate(end + 1);
        }
        (into_text(kept), more.max(1))
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    let whole = match std::str::from_utf8(&bytes) {
        Ok(_) => bytes.len(),
        // A character was cut.
        Err(error) => error.valid_up_to(),
    };
    String::from_utf8_lossy(&bytes[..whole]).into_owned()
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(self.most - self.kept.len());
        let fits = if self.cut { 0 } else { fits };
        self.kept.extend_from_slice(&bytes[..fits]);
        let rest = &bytes[fits..];
        self.cut |= !rest.is_empty();
        self.more += rest.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::Capped;

    fn cut(most: usize, parts: &[&str]) -> (String, u64) {
        let mut capped = Capped::new(most);
        parts.iter().for_each(|part| capped.write_all(part.as_bytes()).unwrap());
        capped.finish()
    }

    #[test]
    fn whole_lines_are_kept_and_the_others_counted() {
        assert_eq!(cut(100, &["a\n", "b\n"]), ("a\nb\n".into(), 0));
        assert_eq!(cut(4, &["a\nb\n"]), ("a\nb\n".into(), 0));
        assert_eq!(cut(5, &["a\n", "bbbbb\n", "c\n", "d\n"]), ("a\n".into(), 3));
        assert_eq!(cut(3, &["a\nb\n", "c\n"]), ("a\n".into(), 2));
        assert_eq!(cut(2, &["äää\n"]), ("ä".into(), 1));
        assert_eq!(cut(3, &["äää\n"]), ("ä".into(), 1));
    }
}
