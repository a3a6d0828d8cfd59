//! A token of SQL text, with its place.

use std::ops::Range;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// A token and the bytes of the text it was read from.
#[derive(Debug, Clone)]
pub struct Lexeme {
    /// The token, and where it stands.
    pub token: TokenWithSpan,
    /// Its bytes in the text.
    pub bytes: Range<usize>,
}

impl Lexeme {
    /// Where it begins.
    pub fn start(&self) -> Location {
        self.token.span.start
    }

    /// Whether it says nothing: a blank or a comment.
    pub fn is_blank(&self) -> bool {
        matches!(self.token.token, Token::Whitespace(_))
    }

    /// The keyword that this token is, if it is an unquoted word.
    pub fn keyword(&self) -> Keyword {
        match &self.token.token {
            Token::Word(word) if word.quote_style.is_none() => word.keyword,
            _ => Keyword::NoKeyword,
        }
    }
}
