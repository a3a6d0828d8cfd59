//! The shape of a filter, checked on its tokens: what may stand where, and what to say when something else does.
//!
//! The parser that follows reads much more than filters; here is where its messages would not help.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::dialect::Lexeme;
use crate::error::short;
use crate::{FilterError, MAX_LEVELS};
use spanql_model::nearest::nearest;

/// What people write instead of an operator, and the operator.
const MEANT: [(&str, &str); 14] = [
    ("==", "="),
    ("===", "="),
    ("=~", "LIKE"),
    ("~", "LIKE"),
    ("~*", "ILIKE"),
    ("&&", "AND"),
    ("&", "AND"),
    ("||", "OR"),
    ("|", "OR"),
    ("has", "CONTAINS"),
    ("includes", "CONTAINS"),
    ("matches", "LIKE"),
    ("equals", "="),
    ("is_null", "IS NULL"),
];
/// The operators that are words.
const WORDS: [&str; 9] = ["AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "CONTAINS", "IS NULL"];

/// How many parts a name may have that is not one of a known family.
const MAX_PARTS: usize = 20;

const OPERATORS: &str = "an operator such as =, !=, >, IN, CONTAINS, LIKE or IS NULL";
const CONDITION: &str = "a condition such as status_code = 'ERROR'";
const VALUE: &str = "a value: text in single quotes, a number, true, false, or a column";

/// What a token is in a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A name, or a quoted one.
    Name,
    /// Text, a number, `true`, `false`.
    Literal,
    Null,
    /// The sign of a number.
    Sign,
    /// `=`, `<` and the like.
    Comparison,
    Contains,
    Like,
    In,
    Between,
    Is,
    Not,
    And,
    Or,
    Open,
    Close,
    Comma,
    Other,
}

pub(super) fn role(lexeme: &Lexeme) -> Role {
    match &lexeme.token.token {
        Token::Word(word) if word.quote_style.is_some() => Role::Name,
        Token::Word(word) => match word.keyword {
            Keyword::AND => Role::And,
            Keyword::OR => Role::Or,
            Keyword::NOT => Role::Not,
            Keyword::IN => Role::In,
            Keyword::LIKE | Keyword::ILIKE => Role::Like,
            Keyword::BETWEEN => Role::Between,
            Keyword::IS => Role::Is,
            Keyword::NULL => Role::Null,
            Keyword::TRUE | Keyword::FALSE => Role::Literal,
            _ if word.value.eq_ignore_ascii_case("contains") => Role::Contains,
            _ => Role::Name,
        },
        Token::Number(..) | Token::SingleQuotedString(_) => Role::Literal,
        Token::Eq | Token::Neq | Token::Lt | Token::LtEq | Token::Gt | Token::GtEq => Role::Comparison,
        Token::Minus | Token::Plus => Role::Sign,
        Token::LParen => Role::Open,
        Token::RParen => Role::Close,
        Token::Comma => Role::Comma,
        _ => Role::Other,
    }
}

/// Checks the tokens of a filter, blanks left out.
pub(super) fn check(text: &str, lexemes: &[Lexeme]) -> Result<(), FilterError> {
    let mut checker = Checker { text, lexemes, at: 0, open: vec![], depth: 0 };
    checker.conditions()
}

struct Checker<'a> {
    text: &'a str,
    lexemes: &'a [Lexeme],
    at: usize,
    /// The parentheses that are open, and how many NOTs stand before each.
    open: Vec<(usize, usize)>,
    /// How deep the current place nests.
    depth: usize,
}

impl Checker<'_> {
    fn role(&self) -> Option<Role> {
        self.lexemes.get(self.at).map(role)
    }

    fn takes(&mut self, wanted: Role) -> bool {
        let found = self.role() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn typed(&self, at: usize) -> &str {
        self.lexemes.get(at).map_or("", |lexeme| &self.text[lexeme.bytes.clone()])
    }

    fn place(&self, error: FilterError) -> FilterError {
        self.place_of(error, self.at)
    }

    fn place_of(&self, error: FilterError, at: usize) -> FilterError {
        let end = self.text.trim_end().len();
        error.at(self.text, self.lexemes.get(at).map_or(end..end, |lexeme| lexeme.bytes.clone()))
    }

    fn found(&self) -> String {
        match self.lexemes.get(self.at) {
            None => "the filter ends".to_owned(),
            Some(_) => format!("found {}", short(self.typed(self.at))),
        }
    }

    fn expected(&self, what: &str) -> FilterError {
        let text = format!("expected {what}, but {}", self.found());
        let error = self.place(FilterError::new("syntax", text));
        match self.lexemes.get(self.at).map(|lexeme| &lexeme.token.token) {
            Some(Token::SemiColon) => error.help("a filter is one condition: leave the semicolon out"),
            Some(Token::Char('‘' | '’' | '“' | '”')) => {
                error.help("write text in straight single quotes: 'like this'")
            }
            Some(
                Token::DoubleQuotedString(_)
                | Token::NationalStringLiteral(_)
                | Token::EscapedStringLiteral(_)
                | Token::DollarQuotedString(_)
                | Token::HexStringLiteral(_),
            ) => error.help("write text in single quotes"),
            Some(Token::Placeholder(_)) => error.help("a filter takes no parameters: write the value"),
            Some(Token::Mul | Token::Div | Token::Mod) => error.help("a filter does no arithmetic"),
            _ => error,
        }
    }

    /// The error for something where an operator should be, with the operator that was probably meant.
    fn no_operator(&self, what: &str) -> FilterError {
        let error = self.expected(what);
        let typed: String = self.typed(self.at).to_owned()
            + match self.role() {
                // `=` and a further `=` are two tokens to some readers.
                Some(Role::Other) => self.glued(),
                _ => "",
            };
        let lower = typed.to_lowercase();
        let known = MEANT.iter().find(|(wrong, _)| *wrong == lower).map(|(_, right)| *right);
        let near = || nearest(&typed, WORDS).filter(|_| self.role() == Some(Role::Name));
        match known.or_else(near) {
            Some(meant) => error.suggest(Some(meant)),
            None => error,
        }
    }

    /// What follows the current token without a blank, when that is no word.
    fn glued(&self) -> &str {
        let Some(next) = self.lexemes.get(self.at + 1) else { return "" };
        let glued = self.lexemes.get(self.at).is_some_and(|lexeme| lexeme.bytes.end == next.bytes.start);
        if glued && matches!(role(next), Role::Other | Role::Comparison) { self.typed(self.at + 1) } else { "" }
    }

    /// Conditions joined by AND and OR, to the end.
    fn conditions(&mut self) -> Result<(), FilterError> {
        loop {
            self.begin()?;
            loop {
                match self.role() {
                    None => {
                        return match self.open.last() {
                            None => Ok(()),
                            Some(&(open, _)) => {
                                Err(self.place_of(FilterError::new("syntax", "this parenthesis is never closed"), open))
                            }
                        };
                    }
                    Some(Role::Close) => {
                        let Some((_, negations)) = self.open.pop() else {
                            let what = "this parenthesis closes none that is open";
                            return Err(self.place(FilterError::new("syntax", what)));
                        };
                        self.depth -= 1 + negations;
                        self.at += 1;
                    }
                    Some(Role::And | Role::Or) => {
                        self.at += 1;
                        break;
                    }
                    Some(_) => return Err(self.no_operator("AND, OR or the end")),
                }
            }
        }
    }

    /// NOTs and open parentheses, then one condition.
    fn begin(&mut self) -> Result<(), FilterError> {
        let mut negations = 0;
        loop {
            if self.takes(Role::Not) {
                negations += 1;
            } else if self.role() == Some(Role::Open) {
                self.open.push((self.at, negations));
                self.depth += 1 + negations;
                negations = 0;
                self.at += 1;
            } else {
                return self.condition();
            }
            if self.depth + negations > MAX_LEVELS {
                let what = format!("the filter nests too deep: the limit is {MAX_LEVELS} levels");
                return Err(self.place_of(FilterError::new("limit", what), self.at - 1));
            }
        }
    }

    fn condition(&mut self) -> Result<(), FilterError> {
        self.operand(CONDITION)?;
        match self.role() {
            Some(Role::Comparison) => {
                self.at += 1;
                // `a == b` and `a =~ b`, whatever tokens they are made of.
                if matches!(self.role(), Some(Role::Comparison | Role::Other)) && self.is_glued() {
                    self.at -= 1;
                    return Err(self.doubled());
                }
                self.value(VALUE)
            }
            Some(Role::Contains | Role::Like) => {
                self.at += 1;
                self.value("text in single quotes")
            }
            Some(Role::Not) => {
                self.at += 1;
                match self.role() {
                    Some(Role::Contains | Role::Like) => {
                        self.at += 1;
                        self.value("text in single quotes")
                    }
                    Some(Role::In) => self.list(),
                    Some(Role::Between) => self.between(),
                    _ => Err(self.expected("CONTAINS, IN, LIKE, ILIKE or BETWEEN behind NOT")),
                }
            }
            Some(Role::In) => self.list(),
            Some(Role::Between) => self.between(),
            Some(Role::Is) => {
                self.at += 1;
                self.takes(Role::Not);
                if self.takes(Role::Null) { Ok(()) } else { Err(self.expected("NULL or NOT NULL behind IS")) }
            }
            // A column alone is a condition when it is true or false; that is seen where columns are known.
            Some(Role::And | Role::Or | Role::Close) | None if role(&self.lexemes[self.at - 1]) == Role::Name => Ok(()),
            Some(Role::Open) if role(&self.lexemes[self.at - 1]) == Role::Name => {
                self.at -= 1;
                Err(self.function())
            }
            _ => Err(self.no_operator(OPERATORS)),
        }
    }

    /// Whether the current token stands right behind the one before.
    fn is_glued(&self) -> bool {
        let end = |at: usize| self.lexemes.get(at).map(|lexeme| lexeme.bytes.end);
        let start = self.lexemes.get(self.at).map(|lexeme| lexeme.bytes.start);
        self.at.checked_sub(1).and_then(end) == start
    }

    fn doubled(&self) -> FilterError {
        let error = self.no_operator(OPERATORS);
        let both = format!("{}{}", self.typed(self.at), self.typed(self.at + 1));
        match MEANT.iter().find(|(wrong, _)| *wrong == both) {
            Some((_, meant)) => error.suggest(Some(*meant)),
            None => error,
        }
    }

    fn function(&self) -> FilterError {
        let name = self.typed(self.at);
        self.place(FilterError::new("syntax", format!("{} is called like a function", short(name))))
            .help("a filter has no functions: write column CONTAINS 'text', column IN ('a', 'b') and the like")
    }

    /// A column or a value.
    fn operand(&mut self, what: &str) -> Result<(), FilterError> {
        match self.role() {
            Some(Role::Name) => return self.name(),
            Some(Role::Literal | Role::Null) => self.at += 1,
            Some(Role::Sign) => {
                self.at += 1;
                let number = matches!(self.lexemes.get(self.at).map(|l| &l.token.token), Some(Token::Number(..)));
                if !number {
                    return Err(self.expected("a number behind the sign"));
                }
                self.at += 1;
            }
            Some(Role::Contains) if self.lexemes.get(self.at + 1).map(role) == Some(Role::Open) => {
                return Err(self.function());
            }
            _ => return Err(self.expected(what)),
        }
        Ok(())
    }

    /// A name, of several parts if its first one begins no known family.
    fn name(&mut self) -> Result<(), FilterError> {
        let from = self.at;
        self.at += 1;
        while matches!(self.lexemes.get(self.at).map(|lexeme| &lexeme.token.token), Some(Token::Period)) {
            self.at += 1;
            if !matches!(self.lexemes.get(self.at).map(|lexeme| &lexeme.token.token), Some(Token::Word(_))) {
                return Err(self.expected("the rest of the name"));
            }
            self.at += 1;
            if self.at > from + 1 + 2 * MAX_PARTS {
                let what = format!("the name has too many parts: the limit is {MAX_PARTS}");
                return Err(self.place_of(FilterError::new("limit", what), from));
            }
        }
        Ok(())
    }

    /// What an operator takes on its right.
    fn value(&mut self, what: &str) -> Result<(), FilterError> {
        let from = self.at;
        self.operand(what)?;
        if self.role() == Some(Role::Open) && role(&self.lexemes[self.at - 1]) == Role::Name {
            self.at = from;
            return Err(self.function());
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(), FilterError> {
        self.at += 1;
        if !self.takes(Role::Open) {
            return Err(self.expected("a list such as ('a', 'b') behind IN"));
        }
        if self.role() == Some(Role::Close) {
            return Err(self.place(FilterError::new("syntax", "the list is empty")).help("list at least one value"));
        }
        loop {
            self.operand("a value in the list")?;
            if self.takes(Role::Close) {
                return Ok(());
            }
            if !self.takes(Role::Comma) {
                return Err(self.expected("a comma or the end of the list"));
            }
        }
    }

    fn between(&mut self) -> Result<(), FilterError> {
        self.at += 1;
        self.value("the lower bound")?;
        if !self.takes(Role::And) {
            return Err(self.expected("AND and the upper bound"));
        }
        self.value("the upper bound")
    }
}
