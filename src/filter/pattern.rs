//! Patterns of structure: filters in braces, and how the spans they choose stand to each other.

use datafusion_expr::Expr;
use sqlparser::tokenizer::Token;

use super::arize;
use super::error::short;
use super::{FilterError, MAX_BYTES, Names};
use crate::dialect::Lexeme;
use spanql_model::nearest::nearest;
use spanql_trace::structure::{Asked, Chain, Relation, Side};

/// How many braces a pattern may have.
pub const MAX_BRACES: usize = 50;

const OPERATORS: [(&str, Relation); 5] = [
    (">", Relation::Child),
    (">>", Relation::Descendant),
    ("<", Relation::Parent),
    ("<<", Relation::Ancestor),
    ("~", Relation::Sibling),
];
/// What people write instead of an operator, and the operator.
const MEANT: [(&str, &str); 23] = [
    ("->", ">"),
    ("=>", ">"),
    ("/", ">"),
    (">=", ">"),
    ("-->", ">>"),
    ("->>", ">>"),
    ("==>", ">>"),
    ("//", ">>"),
    (">>>", ">>"),
    (">>=", ">>"),
    ("<-", "<"),
    ("<=", "<"),
    ("<--", "<<"),
    ("<<-", "<<"),
    ("<<<", "<<"),
    ("~~", "~"),
    ("~=", "~"),
    ("~*", "~"),
    ("=~", "~"),
    ("+", "~"),
    ("<>", "~"),
    ("<->", "~"),
    ("!=", "!~"),
];
/// The operators in words.
const WORDS: [(&str, &str); 10] = [
    ("child", ">"),
    ("children", ">"),
    ("descendant", ">>"),
    ("descendants", ">>"),
    ("parent", "<"),
    ("parents", "<"),
    ("ancestor", "<<"),
    ("ancestors", "<<"),
    ("sibling", "~"),
    ("siblings", "~"),
];

const OPERATOR: &str = "an operator: > child, >> descendant, < parent, << ancestor, ~ sibling";
const BRACE: &str = "a filter in braces such as { kind = 'TOOL' }, or { } for every span";

/// A pattern that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// The pattern as it was written.
    pub text: String,
    /// The filter in each pair of braces; `None` for every span.
    pub places: Vec<Option<Expr>>,
    /// What is asked of them.
    pub chain: Chain,
    /// What the reader should know, each a line without a full stop: names that no span has.
    pub notes: Vec<String>,
}

/// Reads a pattern: `{ filter }`, then any number of operators with a further filter each.
///
/// The filters are in Arize's language. `side` says which spans of a full match are asked for, [`Side::Right`] if
/// nothing does; with a `!` there is only one answer, and naming a side is an error.
///
/// # Errors
/// When it is not in the language, one of its filters is refused, or it is beyond a limit; places are those in the
/// whole text.
pub fn parse(text: &str, side: Option<Side>, names: &Names<'_>) -> Result<Pattern, FilterError> {
    read(text, side, names).map_err(FilterError::of_pattern)
}

fn read(text: &str, side: Option<Side>, names: &Names<'_>) -> Result<Pattern, FilterError> {
    if text.len() > MAX_BYTES {
        let what = format!("the pattern is too long: it has {} bytes, the limit is {MAX_BYTES}", text.len());
        return Err(FilterError::new("limit", what));
    }
    let lexemes = arize::lexed(text)?;
    let mut reader = Reader { text, lexemes: &lexemes, at: 0 };
    let mut places = vec![];
    let mut chain = Chain { relations: vec![], asked: Asked::Matches(side.unwrap_or_default()) };
    let mut notes: Vec<String> = vec![];
    let mut negation: Option<usize> = None;
    loop {
        let (place, new) = reader.brace(names, places.len())?;
        places.push(place);
        for note in new {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        let Some(operator) = reader.operator()? else { break };
        if let Some(at) = negation {
            let what = "! may stand before the last operator only";
            return Err(FilterError::new("syntax", what).at(text, at..at + 1).help("leave it out here"));
        }
        negation = operator.negated;
        chain.relations.push(operator.relation);
    }
    if let Some(at) = negation {
        if let Some(side) = side {
            let what =
                format!("a pattern with ! gives the spans to its left, and takes no side such as {}", side.as_str());
            return Err(FilterError::new("syntax", what).at(text, at..at + 1).help("leave the side out"));
        }
        chain.asked = Asked::Without;
    }
    Ok(Pattern { text: text.to_owned(), places, chain, notes })
}

struct Operator {
    relation: Relation,
    /// Where the `!` is.
    negated: Option<usize>,
}

struct Reader<'a> {
    text: &'a str,
    lexemes: &'a [Lexeme],
    at: usize,
}

impl Reader<'_> {
    fn token(&self, at: usize) -> Option<&Token> {
        self.lexemes.get(at).map(|lexeme| &lexeme.token.token)
    }

    /// The next token that is no blank, which is not taken.
    fn next(&mut self) -> Option<&Token> {
        while self.lexemes.get(self.at).is_some_and(Lexeme::is_blank) {
            self.at += 1;
        }
        self.token(self.at)
    }

    fn typed(&self, at: usize) -> &str {
        self.lexemes.get(at).map_or("", |lexeme| &self.text[lexeme.bytes.clone()])
    }

    /// An error at a token, or at the end of the text.
    fn error(&self, what: impl Into<String>, at: usize) -> FilterError {
        let end = self.text.trim_end().len();
        let place = self.lexemes.get(at).map_or(end..end, |lexeme| lexeme.bytes.clone());
        FilterError::new("syntax", what).at(self.text, place)
    }

    fn expected(&self, what: &str) -> FilterError {
        let found = match self.lexemes.get(self.at) {
            None => "the pattern ends".to_owned(),
            Some(_) => format!("found {}", short(self.typed(self.at))),
        };
        self.error(format!("expected {what}, but {found}"), self.at)
    }

    /// A filter in braces; `None` for every span.
    fn brace(&mut self, names: &Names<'_>, before: usize) -> Result<(Option<Expr>, Vec<String>), FilterError> {
        match self.next() {
            Some(Token::LBrace) => {}
            None if before == 0 => {
                let error = self.error("the pattern is empty", self.at);
                return Err(error.help("write { } for every span"));
            }
            _ => {
                let error = self.expected(BRACE);
                let none = before == 0 && !self.lexemes.iter().any(|lexeme| lexeme.token.token == Token::LBrace);
                return Err(if none { error.help("put the filter in braces") } else { error });
            }
        }
        let open = self.at;
        if before >= MAX_BRACES {
            let what = format!("the pattern has too many braces: the limit is {MAX_BRACES}");
            let place = self.lexemes[open].bytes.clone();
            return Err(FilterError::new("limit", what).at(self.text, place));
        }
        let brace =
            (open + 1..self.lexemes.len()).find(|&at| matches!(self.token(at), Some(Token::LBrace | Token::RBrace)));
        let close = match brace.map(|at| (at, self.token(at))) {
            Some((close, Some(Token::RBrace))) => close,
            Some(_) => return Err(self.error("the brace that begins here is not closed before the next one", open)),
            None => return Err(self.error("the brace that begins here is never closed", open)),
        };
        self.at = close + 1;
        if self.lexemes[open + 1..close].iter().all(Lexeme::is_blank) {
            return Ok((None, vec![]));
        }
        let inside = self.lexemes[open].bytes.end..self.lexemes[close].bytes.start;
        let filter =
            arize::parse(&self.text[inside.clone()], names).map_err(|error| error.within(self.text, inside))?;
        Ok((Some(filter.expr), filter.notes))
    }

    /// The operator before the next brace; `None` at the end.
    fn operator(&mut self) -> Result<Option<Operator>, FilterError> {
        if let Some(at) = self.arrow_of_comment() {
            return Err(unknown("-->").at(self.text, at..at + 3));
        }
        match self.next() {
            None => return Ok(None),
            Some(Token::LBrace) => return Err(self.expected(&format!("{OPERATOR}; or one of them with ! before it"))),
            Some(Token::RBrace) => return Err(self.error("this brace closes none that is open", self.at)),
            Some(Token::Word(word)) => {
                let lower = word.value.to_lowercase();
                let near = nearest(&lower, WORDS.map(|(word, _)| word));
                let meant = near.and_then(|near| WORDS.iter().find(|(word, _)| *word == near));
                return Err(self.expected(OPERATOR).suggest(meant.map(|(_, operator)| *operator)));
            }
            Some(Token::SemiColon) => return Err(self.expected(OPERATOR).help("leave the semicolon out")),
            Some(_) => {}
        }
        let from = self.at;
        let ends = |lexeme: &Lexeme| {
            let typed = &self.text[lexeme.bytes.clone()];
            typed.starts_with(|c: char| c.is_alphanumeric() || "{}'\"`;".contains(c))
        };
        let mut signs = String::new();
        let mut last = from;
        while let Some(lexeme) = self.lexemes.get(self.at).filter(|lexeme| !ends(lexeme)) {
            if !lexeme.is_blank() {
                signs.push_str(&self.text[lexeme.bytes.clone()]);
                last = self.at;
            }
            self.at += 1;
        }
        let positive = signs.strip_prefix('!').unwrap_or(&signs);
        let place = self.lexemes[from].bytes.start..self.lexemes[last].bytes.end;
        let Some((_, relation)) = OPERATORS.iter().find(|(operator, _)| *operator == positive) else {
            return Err(unknown(&signs).at(self.text, place));
        };
        Ok(Some(Operator { relation: *relation, negated: signs.starts_with('!').then_some(place.start) }))
    }

    /// Where `-->` stands for an operator: the lexer takes it for the beginning of a comment.
    fn arrow_of_comment(&self) -> Option<usize> {
        let mut blanks = self.lexemes[self.at..].iter().take_while(|lexeme| lexeme.is_blank());
        let arrow = blanks.find(|blank| self.text[blank.bytes.clone()].starts_with("-->"))?;
        Some(arrow.bytes.start)
    }
}

/// The error for signs that are no operator, with the one that was probably meant.
fn unknown(signs: &str) -> FilterError {
    let error = FilterError::new("syntax", format!("unknown operator {}", short(signs)));
    let known = |signs: &str| OPERATORS.iter().map(|(operator, _)| *operator).find(|operator| *operator == signs);
    let meant = |signs: &str| {
        let meant = MEANT.iter().find(|(wrong, _)| *wrong == signs).map(|(_, operator)| *operator);
        known(signs).or(meant)
    };
    // Where the sign of negation is, and how often, is not always remembered.
    let bare: String = signs.chars().filter(|c| *c != '!').collect();
    let suggestion = match (meant(signs), meant(&bare)) {
        (Some(operator), _) => Some(operator.to_owned()),
        (None, Some(operator)) => Some(format!("!{operator}")),
        (None, None) => None,
    };
    match suggestion {
        None if bare.is_empty() => error.help("! stands before one of the operators >, >>, <, <<, ~"),
        None => error.help("the operators are >, >>, <, <<, ~, and these with ! before them"),
        suggestion => error.suggest(suggestion),
    }
}

#[cfg(test)]
mod tests;
