//! The SQL dialect: sqlparser's generic one, with `CONTAINS` and `NOT CONTAINS` as infix operators, and with operators
//! that bind as PostgreSQL's do.

use std::any::TypeId;
use std::iter::Peekable;
use std::str::Chars;

use sqlparser::ast::{ColumnOption, Expr, GranteesType, Ident, ObjectNamePart, Statement, UnaryOperator};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::lambda::{self, Lambdas, lambdas};
use super::lexeme::Lexeme;
use super::operators::{
    ARROW, CARET, OTHER, arrow, check_chain, contains_call, distinct_from, negative_base, negative_index,
    operator_length,
};

/// [`GenericDialect`] in every respect but these.
///
/// - `a CONTAINS b` and `a NOT CONTAINS b` are `contains(a, b)` and `NOT contains(a, b)`, and bind like `LIKE`.
/// - `IS [NOT] DISTINCT FROM` is read here: the generic parser takes everything behind it for its right side, so that
///   `a IS DISTINCT FROM b AND c` would compare `a` with `b AND c`.
/// - Operators bind as in PostgreSQL: `::`, then signs, `^`, `* / %`, `+ -`, `||` and `~`, then `IN`, `BETWEEN` and `LIKE`, then
///   comparisons, then `IS`. Comparisons do not chain, nor do `LIKE` and `BETWEEN`.
/// - `->`, `->>` and their like bind as in SQLite, looser than `::` alone: PostgreSQL reads `'x' || a ->> 'b'` as
///   `('x' || a) ->> 'b'`, which nobody means.
/// - `ORDER BY ALL` is known, and lambdas where a function takes them.
///
/// Every method is forwarded by hand: a method that is left out silently falls back to the trait's default, which
/// loses syntax the generic dialect has.
#[derive(Debug, Default)]
pub struct SpanqlDialect {
    generic: GenericDialect,
    lambdas: Lambdas,
}

impl SpanqlDialect {
    /// The dialect for one statement, whose tokens without blanks tell where lambdas are.
    pub fn of(lexemes: &[Lexeme]) -> Self {
        Self { generic: GenericDialect, lambdas: lambdas(lexemes) }
    }
}

macro_rules! forward_flags {
    ($($name:ident)*) => {
        $(fn $name(&self) -> bool {
            self.generic.$name()
        })*
    };
}

impl Dialect for SpanqlDialect {
    // The parser asks "is this the generic dialect?" in places that no method covers.
    fn dialect(&self) -> TypeId {
        self.generic.dialect()
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::StringConcat
            | Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => return Some(Ok(OTHER)),
            Token::QuestionPipe => return Some(Ok(ARROW)),
            _ => {}
        }
        match operator_length(parser) {
            Some(_) => Some(Ok(self.prec_value(Precedence::Like))),
            None => self.generic.get_next_precedence(parser),
        }
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if let Err(error) = check_chain(parser, expr) {
            return Some(Err(error));
        }
        if let Some(op) = arrow(&parser.peek_token_ref().token) {
            parser.advance_token();
            let right = negative_index(parser).map_or_else(|| parser.parse_subexpr(ARROW), Ok);
            return Some(right.map(|right| Expr::BinaryOp {
                left: Box::new(expr.clone()),
                op,
                right: Box::new(right),
            }));
        }
        if let Some((length, negated)) = distinct_from(parser) {
            for _ in 0..length {
                parser.advance_token();
            }
            let right = parser.parse_subexpr(self.prec_value(Precedence::Is));
            return Some(right.map(|right| {
                let (left, right) = (Box::new(expr.clone()), Box::new(right));
                if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }
            }));
        }
        let Some(length) = operator_length(parser) else {
            return self.generic.parse_infix(parser, expr, precedence);
        };
        for _ in 0..length {
            parser.advance_token();
        }
        Some(parser.parse_subexpr(self.prec_value(Precedence::Like)).map(|right| {
            let call = contains_call(expr.clone(), right);
            if length == 2 {
                Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(call))) }
            } else {
                call
            }
        }))
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        self.generic.is_delimited_identifier_start(ch)
    }

    fn is_nested_delimited_identifier_start(&self, ch: char) -> bool {
        self.generic.is_nested_delimited_identifier_start(ch)
    }

    fn peek_nested_delimited_identifier_quotes(&self, chars: Peekable<Chars<'_>>) -> Option<(char, Option<char>)> {
        self.generic.peek_nested_delimited_identifier_quotes(chars)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        self.generic.identifier_quote_style(identifier)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        self.generic.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        self.generic.is_identifier_part(ch)
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        self.generic.is_custom_operator_part(ch)
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        if !self.lambdas.is_empty() && self.lambdas.contains(&parser.peek_token_ref().span.start) {
            return Some(lambda::parse(parser));
        }
        if let Some(negative) = negative_base(parser) {
            return Some(negative);
        }
        self.generic.parse_prefix(parser)
    }

    fn parse_statement(&self, parser: &mut Parser) -> Option<Result<Statement, ParserError>> {
        self.generic.parse_statement(parser)
    }

    fn parse_column_option(
        &self,
        parser: &mut Parser,
    ) -> Result<Option<Result<Option<ColumnOption>, ParserError>>, ParserError> {
        self.generic.parse_column_option(parser)
    }

    fn prec_value(&self, prec: Precedence) -> u8 {
        match prec {
            Precedence::PgOther => ARROW,
            Precedence::Caret => CARET,
            Precedence::Between | Precedence::Like => 20,
            Precedence::Eq => 19,
            other => self.generic.prec_value(other),
        }
    }

    fn prec_unknown(&self) -> u8 {
        self.generic.prec_unknown()
    }

    fn is_reserved_for_identifier(&self, kw: Keyword) -> bool {
        self.generic.is_reserved_for_identifier(kw)
    }

    fn get_reserved_keywords_for_select_item_operator(&self) -> &[Keyword] {
        self.generic.get_reserved_keywords_for_select_item_operator()
    }

    fn get_reserved_grantees_types(&self) -> &[GranteesType] {
        self.generic.get_reserved_grantees_types()
    }

    fn is_column_alias(&self, kw: &Keyword, parser: &mut Parser) -> bool {
        self.generic.is_column_alias(kw, parser)
    }

    fn is_select_item_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        self.generic.is_select_item_alias(explicit, kw, parser)
    }

    fn is_table_factor(&self, kw: &Keyword, parser: &mut Parser) -> bool {
        self.generic.is_table_factor(kw, parser)
    }

    fn is_table_alias(&self, kw: &Keyword, parser: &mut Parser) -> bool {
        self.generic.is_table_alias(kw, parser)
    }

    fn is_table_factor_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        self.generic.is_table_factor_alias(explicit, kw, parser)
    }

    fn is_identifier_generating_function_name(&self, ident: &Ident, name_parts: &[ObjectNamePart]) -> bool {
        self.generic.is_identifier_generating_function_name(ident, name_parts)
    }

    fn supports_order_by_all(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    forward_flags! {
        supports_string_literal_backslash_escape
        ignores_wildcard_escapes
        supports_unicode_string_literal
        supports_filter_during_aggregation
        supports_window_clause_named_window_reference
        supports_within_after_array_aggregation
        supports_partition_by_after_order_by
        supports_array_join_syntax
        supports_group_by_expr
        supports_group_by_with_modifier
        supports_left_associative_joins_without_parens
        supports_outer_join_operator
        supports_cross_join_constraint
        supports_connect_by
        supports_execute_immediate
        supports_match_recognize
        supports_in_empty_list
        supports_start_transaction_modifier
        supports_end_transaction_modifier
        supports_named_fn_args_with_eq_operator
        supports_named_fn_args_with_colon_operator
        supports_named_fn_args_with_assignment_operator
        supports_named_fn_args_with_rarrow_operator
        supports_named_fn_args_with_expr_name
        supports_numeric_prefix
        supports_numeric_literal_underscores
        supports_window_function_null_treatment_arg
        supports_dictionary_syntax
        support_map_literal_syntax
        supports_lambda_functions
        supports_parenthesized_set_variables
        supports_comma_separated_set_assignments
        supports_update_order_by
        supports_select_wildcard_except
        convert_type_before_value
        supports_triple_quoted_string
        supports_trailing_commas
        supports_limit_comma
        supports_string_literal_concatenation
        supports_string_literal_concatenation_with_newline
        supports_projection_trailing_commas
        supports_from_trailing_commas
        supports_column_definition_trailing_commas
        supports_object_name_double_dot_notation
        supports_struct_literal
        supports_empty_projections
        supports_select_expr_star
        supports_from_first_select
        supports_from_first_insert
        supports_pipe_operator
        supports_user_host_grantee
        supports_match_against
        supports_select_wildcard_exclude
        supports_select_exclude
        supports_create_table_multi_schema_info_sources
        supports_select_modifiers
        describe_requires_table_keyword
        allow_extract_custom
        allow_extract_single_quotes
        supports_extract_comma_syntax
        supports_subquery_as_function_arg
        supports_create_view_comment_syntax
        supports_array_typedef_without_element_type
        supports_parens_around_table_factor
        supports_values_as_table_factor
        supports_dollar_placeholder
        supports_dollar_as_money_prefix
        supports_create_index_with_clause
        require_interval_qualifier
        supports_explain_with_utility_options
        supports_asc_desc_in_column_definition
        supports_factorial_operator
        supports_bitwise_shift_operators
        supports_nested_comments
        supports_multiline_comment_hints
        supports_eq_alias_assignment
        supports_try_convert
        supports_bang_not_operator
        supports_listen_notify
        supports_load_data
        supports_load_extension
        supports_top_before_distinct
        supports_boolean_literals
        supports_show_like_before_in
        supports_comment_on
        supports_create_table_select
        supports_partiql
        supports_constraint_keyword_without_name
        supports_key_column_option
        supports_table_sample_before_alias
        supports_insert_set
        supports_insert_table_function
        supports_insert_table_query
        supports_insert_format
        supports_insert_table_alias
        supports_set_stmt_without_operator
        supports_table_versioning
        supports_string_escape_constant
        supports_table_hints
        requires_single_line_comment_whitespace
        supports_array_typedef_with_brackets
        supports_geometric_types
        supports_set_names
        supports_space_separated_column_options
        supports_alter_column_type_using
        supports_comma_separated_drop_column_list
        supports_data_type_signed_suffix
        supports_interval_options
        supports_create_table_like_parenthesized
        supports_semantic_view_table_factor
        supports_quote_delimited_string
        supports_comment_optimizer_hint
        supports_double_ampersand_operator
        supports_binary_kw_as_cast
        supports_select_wildcard_replace
        supports_select_wildcard_ilike
        supports_select_wildcard_rename
        supports_select_wildcard_with_alias
        supports_optimize_table
        supports_install
        supports_detach
        supports_prewhere
        supports_with_fill
        supports_limit_by
        supports_interpolate
        supports_settings
        supports_select_format
        supports_comma_separated_trim
        supports_cte_without_as
        supports_select_item_multi_column_alias
        supports_xml_expressions
        supports_create_table_using
        supports_long_type_as_bigint
        supports_map_literal_with_angle_brackets
    }
}

#[cfg(test)]
mod tests;
