//! A text cut into blocks of whole lines, which can be read apart from each other.

use std::io::{BufRead, BufReader, Cursor, Read};

use memchr::memchr_iter;

use super::open::Failing;
use super::stream::Stream;

/// Bytes of a block.
pub(super) const BLOCK: usize = 4 << 20;

/// A line of more bytes is left to one reader, with all that is behind it: several such lines at a time are much memory.
const LONG: usize = 16 << 20;

/// Cuts a text into blocks.
pub(super) struct Blocks {
    /// `None` behind the last block.
    stream: Option<Stream>,
    /// Lines so far.
    lines: u64,
    /// Bytes of a line that is not too long.
    longest: usize,
}

/// Some whole lines.
pub(super) struct Block {
    pub(super) stream: Stream,
    /// Lines before it.
    pub(super) lines: u64,
}

impl Blocks {
    /// The blocks of a text, whose lines have at most so many bytes.
    pub(super) fn new(stream: Stream, longest: usize) -> Self {
        Self { stream: Some(stream), lines: 0, longest }
    }

    /// The next block; the last one ends where the text does, or where it cannot be read.
    pub(super) fn next(&mut self) -> Option<Block> {
        let mut stream = self.stream.take()?;
        let lines = self.lines;
        let mut text = Vec::with_capacity(BLOCK + BLOCK / 8);
        let read = stream.by_ref().take(BLOCK as u64).read_to_end(&mut text).and_then(|filled| {
            let whole = filled < BLOCK;
            let most = self.longest.saturating_add(1) as u64;
            let rest = if whole { 0 } else { stream.by_ref().take(most).read_until(b'\n', &mut text)? };
            let too_long = rest as u64 == most && text.last() != Some(&b'\n');
            Ok((whole, too_long || rest > LONG))
        });
        let stream: Stream = match read {
            Err(error) => Box::new(Cursor::new(text).chain(BufReader::new(Failing(error)))),
            Ok((false, true)) => Box::new(Cursor::new(text).chain(stream)),
            Ok((whole, _)) => {
                self.lines += memchr_iter(b'\n', &text).count() as u64;
                if !whole {
                    self.stream = Some(stream);
                }
                Box::new(Cursor::new(text))
            }
        };
        Some(Block { stream, lines })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(text: &[u8], longest: usize) -> Vec<(u64, Vec<u8>)> {
        let mut blocks = Blocks::new(Box::new(Cursor::new(text.to_vec())), longest);
        let all = |mut block: Block| {
            let mut text = Vec::new();
            block.stream.read_to_end(&mut text).unwrap();
            (block.lines, text)
        };
        std::iter::from_fn(|| blocks.next()).map(all).collect()
    }

    #[test]
    fn blocks_are_whole_lines() {
        let text: Vec<u8> = (0..900_000).flat_map(|n| format!("line {n}\r\n").into_bytes()).collect();
        let found = blocks(&text, 100);
        assert!(found.len() > 2);
        let mut lines = 0;
        for (before, block) in &found[..found.len() - 1] {
            assert_eq!(*before, lines);
            assert!(block.ends_with(b"\n") && block.len() < BLOCK + 100);
            lines += memchr_iter(b'\n', block).count() as u64;
        }
        assert_eq!(found.concat_texts(), text);
        assert_eq!(blocks(b"", 9), [(0, Vec::new())]);
        assert_eq!(blocks(b"a\nb", 9), [(0, b"a\nb".to_vec())]);
    }

    #[test]
    fn a_line_that_is_too_long_ends_the_cutting() {
        let mut text = b"short\n".to_vec();
        text.resize(BLOCK + 1_000, b'x');
        text.extend(b"\nmore\n".repeat(1_000_000));
        let found = blocks(&text, 100);
        assert_eq!(found.len(), 1);
        assert_eq!(found.concat_texts(), text);
    }

    trait Texts {
        fn concat_texts(&self) -> Vec<u8>;
    }

    impl Texts for Vec<(u64, Vec<u8>)> {
        fn concat_texts(&self) -> Vec<u8> {
            self.iter().flat_map(|(_, text)| text.iter().copied()).collect()
        }
    }
}
