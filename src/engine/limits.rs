//! Limits on statements, checked on the tokens: what comes after may then recurse without fear for the stack.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token};

use super::error::EngineError;
use spanql_filter::dialect::Lexeme;

/// The longest text, in bytes, of all statements given at once.
pub(crate) const MAX_SQL_BYTES: usize = 1_000_000;
/// How deep parentheses, brackets, CASE and prefix operators may nest.
pub(crate) const MAX_LEVELS: usize = 50;
/// How many terms AND and OR may join in a statement.
pub(crate) const MAX_LOGICAL_TERMS: usize = 1_000;
/// How many statements may be given at once.
pub(crate) const MAX_STATEMENTS: usize = 1_000;
/// How many operators may follow each other in one expression without parentheses; they nest to the left.
pub(crate) const MAX_CHAIN: usize = 200;
/// How many set operations or pipe steps a statement may have.
pub(crate) const MAX_STEPS: usize = 200;
/// How many parts a dotted name may have; every way to cut it into a table and a column is looked at.
pub(crate) const MAX_NAME_PARTS: usize = 200;
/// How many items a SELECT may list; each of them is looked up among all.
pub(crate) const MAX_ITEMS: usize = 10_000;
/// How many names of open families a statement may read from one table beside its own columns.
pub(crate) const MAX_OPEN_NAMES: usize = 2_000;
/// How many joins a statement may have; planning them takes more than quadratic time.
pub(crate) const MAX_JOINS: usize = 50;
/// How deep the operators of a plan may nest: they call each other on threads with ordinary stacks.
pub(crate) const MAX_PLAN_DEPTH: usize = 120;

fn exceeded(what: &str, limit: usize, place: Location, help: &str) -> EngineError {
    EngineError::new("limit", format!("the statement has too many {what}"))
        .at(place)
        .why(format!("the limit is {limit}"))
        .help(help)
}

/// Checks the length of the text.
pub(crate) fn check_length(sql: &str) -> Result<(), EngineError> {
    if sql.len() > MAX_SQL_BYTES {
        return Err(EngineError::new("limit", "the SQL text is too long")
            .why(format!("it has {} bytes and the limit is {MAX_SQL_BYTES}", sql.len()))
            .help("give the statements one at a time, or join with a table instead of listing values"));
    }
    Ok(())
}

/// Checks how many statements are given at once.
pub(crate) fn check_statements(count: usize) -> Result<(), EngineError> {
    if count > MAX_STATEMENTS {
        return Err(EngineError::new("limit", "too many statements at once")
            .why(format!("there are {count} and the limit is {MAX_STATEMENTS}"))
            .help("give them in parts"));
    }
    Ok(())
}

/// Checks how many parts the dotted names have.
pub(crate) fn check_names(lexemes: &[Lexeme]) -> Result<(), EngineError> {
    let (mut dots, mut open) = (0_usize, false);
    let mut start = Location { line: 1, column: 1 };
    for lexeme in lexemes.iter().filter(|lexeme| !lexeme.is_blank()) {
        // A number may bring the dots before and behind it, as in `a.0.b`.
        let (begins, inside, ends) = match &lexeme.token.token {
            Token::Period => (true, 1, true),
            Token::Number(text, _) => (text.starts_with('.'), text.matches('.').count(), text.ends_with('.')),
            Token::Word(_) => (false, 0, false),
            _ => {
                (dots, open) = (0, false);
                start = lexeme.start();
                continue;
            }
        };
        if !begins && !open {
            dots = 0;
        }
        if dots == 0 && !begins {
            start = lexeme.start();
        }
        dots += inside;
        open = ends;
        if dots >= MAX_NAME_PARTS {
            return Err(EngineError::new("limit", "the name has too many parts")
                .at(start)
                .why(format!("the limit is {MAX_NAME_PARTS}")));
        }
    }
    Ok(())
}

/// Checks how deep a plan nests.
pub(crate) fn check_plan(plan: &Arc<dyn ExecutionPlan>) -> Result<(), EngineError> {
    let mut open = vec![(plan, 1)];
    while let Some((plan, depth)) = open.pop() {
        if depth > MAX_PLAN_DEPTH {
            return Err(EngineError::new("limit", "the plan of the statement nests too deep")
                .why(format!("the limit is {MAX_PLAN_DEPTH} operators that read from each other"))
                .help("split it into several statements"));
        }
        open.extend(plan.children().into_iter().map(|child| (child, depth + 1)));
    }
    Ok(())
}

/// One level of nesting, as far as it is open.
#[derive(Default)]
struct Level {
    cases: usize,
    angles: usize,
    chain: usize,
    betweens: usize,
    /// The items of its SELECT, from there to its FROM.
    items: usize,
    selects: bool,
}

/// Checks nesting, the length of operator chains, and the number of terms and steps of one statement without blanks.
pub(crate) fn check_shape(lexemes: &[Lexeme]) -> Result<(), EngineError> {
    let mut levels = vec![Level::default()];
    let (mut depth, mut prefixes, mut terms) = (0_usize, 0_usize, 1_usize);
    let (mut steps, mut joins) = (0_usize, 0_usize);
    for (at, lexeme) in lexemes.iter().enumerate() {
        let token = &lexeme.token.token;
        let keyword = lexeme.keyword();
        let place = lexeme.start();
        let previous = at.checked_sub(1).map(|before| &lexemes[before]);
        let infix = previous.is_some_and(ends_operand) && matches!(token, Token::Minus | Token::Plus);
        prefixes = if is_prefix(token, keyword) && !infix { prefixes + 1 } else { 0 };
        let mut level = levels.pop().unwrap_or_default();
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                level.chain += usize::from(*token == Token::LBracket);
                depth += 1;
                levels.push(level);
                level = Level::default();
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                depth = depth.saturating_sub(1 + level.cases + level.angles);
                level = levels.pop().unwrap_or_default();
            }
            Token::Comma => {
                level.chain = 0;
                level.items += usize::from(level.selects);
            }
            Token::Lt if previous.is_some_and(|word| is_type_with_angles(word.keyword())) => {
                level.angles += 1;
                depth += 1;
            }
            Token::Gt | Token::ShiftRight if level.angles > 0 => {
                let closed = level.angles.min(if *token == Token::Gt { 1 } else { 2 });
                level.angles -= closed;
                depth = depth.saturating_sub(closed);
            }
            Token::VerticalBarRightAngleBracket => steps += 1,
            Token::Word(_) => match keyword {
                Keyword::CASE => {
                    level.cases += 1;
                    depth += 1;
                }
                Keyword::END if level.cases > 0 => {
                    level.cases -= 1;
                    depth = depth.saturating_sub(1);
                }
                Keyword::BETWEEN => {
                    level.betweens += 1;
                    level.chain += 1;
                }
                Keyword::AND if level.betweens > 0 => level.betweens -= 1,
                Keyword::AND | Keyword::OR | Keyword::XOR => {
                    terms += 1;
                    level.chain = 0;
                }
                Keyword::UNION | Keyword::INTERSECT | Keyword::MINUS => steps += 1,
                Keyword::JOIN | Keyword::APPLY => joins += 1,
                Keyword::EXCEPT if previous.is_none_or(|star| star.token.token != Token::Mul) => steps += 1,
                _ if ends_expression(keyword) => {
                    let Level { cases, angles, items, selects, .. } = level;
                    level = match keyword {
                        Keyword::SELECT => Level { cases, angles, selects: true, ..Level::default() },
                        Keyword::FROM => Level { cases, angles, ..Level::default() },
                        _ => Level { cases, angles, items, selects, ..Level::default() },
                    };
                }
                _ => level.chain += usize::from(is_word_operator(lexeme, keyword)),
            },
            _ => level.chain += usize::from(is_operator(token)),
        }
        let (chain, items) = (level.chain, level.items);
        levels.push(level);
        if depth + prefixes > MAX_LEVELS {
            return Err(EngineError::new("limit", "the statement nests too deep")
                .at(place)
                .why(format!("the limit is {MAX_LEVELS} levels"))
                .help("use WITH to name its inner parts"));
        }
        if terms > MAX_LOGICAL_TERMS {
            return Err(exceeded(
                "terms joined by AND and OR",
                MAX_LOGICAL_TERMS,
                place,
                "list values with IN (…), or join with a table of them",
            ));
        }
        if chain > MAX_CHAIN {
            return Err(exceeded(
                "operators in a row",
                MAX_CHAIN,
                place,
                "group them with parentheses, or use a function of a list",
            ));
        }
        if items >= MAX_ITEMS {
            return Err(exceeded("items in a SELECT", MAX_ITEMS, place, "name fewer, or SELECT *"));
        }
        if steps > MAX_STEPS {
            return Err(exceeded("set operations", MAX_STEPS, place, "split it into several statements"));
        }
        if joins > MAX_JOINS {
            return Err(exceeded("joins", MAX_JOINS, place, "split it into several statements"));
        }
    }
    Ok(())
}

/// Whether an operand may end with this, so that a sign behind it joins two.
fn ends_operand(lexeme: &Lexeme) -> bool {
    match &lexeme.token.token {
        Token::Word(_) => matches!(
            lexeme.keyword(),
            Keyword::NoKeyword | Keyword::END | Keyword::TRUE | Keyword::FALSE | Keyword::NULL
        ),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::Placeholder(_)
        | Token::RParen
        | Token::RBracket
        | Token::RBrace => true,
        _ => false,
    }
}

/// Tokens that stand before their operand, so that a row of them nests.
fn is_prefix(token: &Token, keyword: Keyword) -> bool {
    matches!(
        token,
        Token::Minus
            | Token::Plus
            | Token::Tilde
            | Token::ExclamationMark
            | Token::AtSign
            | Token::DoubleExclamationMark
    ) || matches!(
        keyword,
        Keyword::NOT
            | Keyword::EXPLAIN
            | Keyword::ANALYZE
            | Keyword::VERBOSE
            | Keyword::PRIOR
            | Keyword::INTERVAL
            | Keyword::CONNECT_BY_ROOT
            | Keyword::EXISTS
            | Keyword::DESCRIBE
            | Keyword::DESC
            | Keyword::ARRAY
            | Keyword::STRUCT
            | Keyword::MAP
            | Keyword::BINARY
    )
}

fn is_type_with_angles(keyword: Keyword) -> bool {
    matches!(keyword, Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP)
}

fn is_word_operator(lexeme: &Lexeme, keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::IS
            | Keyword::IN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::SIMILAR
            | Keyword::COLLATE
            | Keyword::AT
            | Keyword::DIV
            | Keyword::REGEXP
            | Keyword::RLIKE
            | Keyword::OVERLAPS
            | Keyword::MEMBER
            | Keyword::NOTNULL
            | Keyword::OPERATOR
            | Keyword::NOT
    ) || matches!(&lexeme.token.token, Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("contains"))
}

fn is_operator(token: &Token) -> bool {
    !matches!(
        token,
        Token::EOF
            | Token::Word(_)
            | Token::Number(..)
            | Token::Char(_)
            | Token::SingleQuotedString(_)
            | Token::DollarQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::SemiColon
            | Token::Placeholder(_)
            | Token::Whitespace(_)
    )
}

/// Keywords behind which a new expression begins at the same level.
fn ends_expression(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::ORDER
            | Keyword::BY
            | Keyword::HAVING
            | Keyword::QUALIFY
            | Keyword::ON
            | Keyword::USING
            | Keyword::WHEN
            | Keyword::THEN
            | Keyword::ELSE
            | Keyword::LIMIT
            | Keyword::OFFSET
            | Keyword::VALUES
            | Keyword::AS
    )
}

#[cfg(test)]
mod tests;
