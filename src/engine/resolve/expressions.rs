//! The names in expressions, each replaced by what it means.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectNamePart, Query, Value,
    ValueWithSpan, VisitMut, WindowType,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::super::error::EngineError;
use super::super::operands::Operator;
use super::super::walk::{Flow, WalkMut, walk_mut};
use super::ast::{call, empty_query, in_lower_case};
use super::lists::lists_of_json;
use super::outputs::{Output, OutputUse, named};
use super::scope::Scopes;
use super::spelled::known_spelling;
use super::{Call, Resolver};
use spanql_filter::numbers::AS_NUMBER;
use spanql_model::columns::canonical;
use spanql_model::names::{expand_alias, is_open_name};
use spanql_model::nearest::as_typed;

struct Walker<'a, 'b> {
    resolver: &'a mut Resolver<'b>,
    scopes: &'a Scopes,
    outputs: &'a [Output],
    uses: OutputUse,
    /// How many aggregates or window functions the current place lies in.
    inside: usize,
    queries: Vec<Query>,
    /// The windows of the functions that the current place lies in, resolved.
    windows: Vec<Option<WindowType>>,
    /// The parameters of the lambdas that the current place lies in.
    lambdas: Vec<Vec<String>>,
}

impl Resolver<'_> {
    /// Resolves all names in an expression (or anything made of expressions), subqueries included.
    pub(super) fn expressions<T: VisitMut>(
        &mut self,
        node: &mut T,
        scopes: &Scopes,
        outputs: &[Output],
        uses: OutputUse,
    ) -> Result<(), EngineError> {
        let mut walker = Walker {
            resolver: self,
            scopes,
            outputs,
            uses,
            inside: 0,
            queries: vec![],
            windows: vec![],
            lambdas: vec![],
        };
        walk_mut(node, &mut walker)
    }

    /// Resolves the names in an expression over columns only.
    pub(super) fn expression<T: VisitMut>(&mut self, node: &mut T, scopes: &Scopes) -> Result<(), EngineError> {
        self.expressions(node, scopes, &[], OutputUse::None)
    }
}

impl Walker<'_, '_> {
    /// Writes the name of a lambda's parameter as the lambda does.
    fn parameter(&self, ident: &mut Ident) -> bool {
        let named = |name: &&String| name.eq_ignore_ascii_case(&ident.value);
        let found = self.lambdas.iter().rev().find_map(|names| names.iter().find(named));
        if let Some(name) = found {
            ident.value.clone_from(name);
        }
        found.is_some()
    }

    fn name(&mut self, expr: &mut Expr) -> Result<(), EngineError> {
        if let Expr::Identifier(ident) = expr
            && self.parameter(ident)
        {
            return Ok(());
        }
        let (outputs, uses, inside) = (self.outputs, self.uses, self.inside > 0);
        let found = match &*expr {
            Expr::Identifier(ident) => {
                let output = || output_meant(outputs, uses, inside, ident).cloned();
                self.resolver.column_or(std::slice::from_ref(ident), self.scopes, &output)?
            }
            Expr::CompoundIdentifier(idents) => self.resolver.column(idents, self.scopes)?,
            _ => return Ok(()),
        };
        if let Some(column) = found {
            if self.resolver.not_grouped
                && let Some((typed, place)) = typed_column(expr)
                && outputs.iter().any(|output| output.computed && output.expr == column.expr)
            {
                return Err(EngineError::aggregate_in_where(&typed).at(place));
            }
            if !inside
                && !self.resolver.not_grouped
                && uses != OutputUse::GroupExpression
                && let Some((typed, place)) = typed_column(expr)
            {
                self.resolver.places.columns.entry(column.name).or_insert((typed, place));
            }
            *expr = column.expr;
        }
        Ok(())
    }

    /// Resolves the window of a function, in which outputs may be named though not in its arguments, and keeps it apart
    /// while these are walked through.
    fn window(&mut self, function: &mut Function) -> Result<(), EngineError> {
        let mut over = function.over.take();
        if let Some(WindowType::WindowSpec(window)) = &mut over {
            self.resolver.expressions(window, self.scopes, self.outputs, self.uses)?;
        }
        self.windows.push(over);
        Ok(())
    }

    fn function(&mut self, expr: &mut Expr, typed: Option<String>) -> Result<(), EngineError> {
        let Expr::Function(function) = expr else { return Ok(()) };
        let windowed = function.over.is_some();
        let mut grouped = windowed;
        match &mut function.over {
            Some(WindowType::NamedWindow(name)) => in_lower_case(name),
            Some(WindowType::WindowSpec(window)) => window.window_name.iter_mut().for_each(in_lower_case),
            None => {}
        }
        if let [ObjectNamePart::Identifier(ident)] = function.name.0.as_mut_slice() {
            if ident.quote_style.is_none() {
                ident.value = ident.value.to_lowercase();
            }
            let typed = typed.as_deref().unwrap_or(&ident.value);
            grouped |= self.resolver.catalog.is_aggregate(&ident.value);
            let said = grouped
                || function.filter.is_some()
                || !function.within_group.is_empty()
                || is_distinct(&function.args);
            if self.resolver.not_grouped && (windowed || self.resolver.catalog.is_aggregate(&ident.value)) {
                return Err(EngineError::aggregate_in_where(typed).at_span(ident.span));
            }
            let call = || Call { place: ident.span.start, grouped: said, typed: typed.to_owned() };
            self.resolver.places.functions.entry(ident.value.clone()).or_insert_with(call);
        }
        self.inside += usize::from(grouped);
        Ok(())
    }

    /// Aggregates over numbers read an open column that is text as numbers.
    fn numeric_aggregate(expr: &mut Expr) {
        let Expr::Function(function) = expr else { return };
        let numeric = matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)]
            if NUMERIC_AGGREGATES.contains(&ident.value.as_str()));
        if !numeric {
            return;
        }
        if let FunctionArguments::List(list) = &mut function.args
            && let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(arg))) = list.args.first_mut()
        {
            as_number(arg);
        }
        for ordered in &mut function.within_group {
            as_number(&mut ordered.expr);
        }
    }

    /// `user` and `current_role` are functions without parentheses to the parser, but may be columns.
    fn bare_function(&mut self, expr: &mut Expr) -> Result<(), EngineError> {
        let Expr::Function(function) = expr else { return Ok(()) };
        if !matches!(function.args, FunctionArguments::None) {
            return Ok(());
        }
        match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)] if !self.resolver.catalog.is_scalar(&ident.value) => {
                *expr = Expr::Identifier(ident.clone());
            }
            [_, _, ..] => {
                let path: Option<Vec<Ident>> = function.name.0.iter().map(|part| part.as_ident().cloned()).collect();
                if let Some(path) = path {
                    *expr = Expr::CompoundIdentifier(path);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `s.column['key']` has its names in a chain of accesses: those before the first subscript become one name.
    fn access(expr: &mut Expr) {
        let Expr::CompoundFieldAccess { root, access_chain } = expr else { return };
        let Expr::Identifier(first) = root.as_ref() else { return };
        let dots = access_chain.iter().map_while(|access| match access {
            AccessExpr::Dot(Expr::Identifier(ident)) => Some(ident.clone()),
            // `t.user`: without a table it is a function.
            AccessExpr::Dot(Expr::Function(Function { name, args: FunctionArguments::None, .. })) => {
                match name.0.as_slice() {
                    [ObjectNamePart::Identifier(ident)] => Some(ident.clone()),
                    _ => None,
                }
            }
            _ => None,
        });
        let path: Vec<Ident> = std::iter::once(first.clone()).chain(dots).collect();
        if path.len() > 1 {
            access_chain.drain(..path.len() - 1);
            **root = Expr::CompoundIdentifier(path);
        }
        if access_chain.is_empty() {
            *expr = std::mem::replace(root.as_mut(), Expr::value(Value::Null));
        }
    }
}

/// The output that a name may stand for, `inside` an aggregate or a window function or not.
fn output_meant<'o>(outputs: &'o [Output], uses: OutputUse, inside: bool, ident: &Ident) -> Option<&'o Output> {
    let fallback = uses == OutputUse::Fallback;
    if uses == OutputUse::None || (inside && !fallback) {
        return None;
    }
    // What spans may have of this name is meant, whatever an output is called.
    if fallback && is_open_name(&expand_alias(&ident.value).unwrap_or_else(|| ident.value.clone())) {
        return None;
    }
    let output = &outputs[named(outputs, ident)?];
    (!output.computed || !(inside || uses == OutputUse::GroupExpression)).then_some(output)
}

impl WalkMut for Walker<'_, '_> {
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        let typed = typed_name(expr);
        Operator::see(&mut self.resolver.places.operators, expr);
        known_spelling(expr, self.resolver.catalog.registry.data_end);
        if let Expr::Lambda(lambda) = expr {
            // DataFusion writes them in lower case, too.
            let name = |ident: &Ident| match ident.quote_style {
                Some(_) => ident.value.clone(),
                None => ident.value.to_lowercase(),
            };
            self.lambdas.push(lambda.params.iter().map(|parameter| name(&parameter.name)).collect());
        }
        if let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), span }) = expr
            && !self.resolver.places.literals.contains_key(text)
        {
            self.resolver.places.literals.insert(text.clone(), span.start);
        }
        if let Err(error) = self.function(expr, typed) {
            return Flow::Break(error);
        }
        if let Expr::Function(function) = expr
            && let Err(error) = self.window(function)
        {
            return Flow::Break(error);
        }
        Self::access(expr);
        Flow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        if let Expr::Lambda(_) = expr {
            self.lambdas.pop();
        }
        if let Expr::Function(function) = expr {
            function.over = self.windows.pop().flatten();
            let aggregate = matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if self.resolver.catalog.is_aggregate(&ident.value));
            self.inside -= usize::from(aggregate || function.over.is_some());
        }
        Self::numeric_aggregate(expr);
        lists_of_json(expr);
        match self.bare_function(expr).and_then(|()| self.name(expr)) {
            Ok(()) => Flow::Continue(()),
            Err(error) => Flow::Break(error),
        }
    }

    // A subquery has scopes of its own: it is resolved as a whole, and its place left empty while the walk passes.
    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        if let Err(error) = self.resolver.query(query, self.scopes, false) {
            return Flow::Break(error);
        }
        self.queries.push(std::mem::replace(query, empty_query()));
        Flow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> Flow {
        if let Some(resolved) = self.queries.pop() {
            *query = resolved;
        }
        Flow::Continue(())
    }
}

/// The name of a function as it was typed.
fn typed_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Function(function) => match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)] => Some(ident.value.to_lowercase()),
            _ => None,
        },
        _ => None,
    }
}

/// The name of a column as it was typed, and where.
fn typed_column(expr: &Expr) -> Option<(String, Location)> {
    match expr {
        Expr::Identifier(ident) => Some((as_typed(&ident.value), ident.span.start)),
        Expr::CompoundIdentifier(path) => {
            let parts: Vec<String> = path.iter().map(|part| as_typed(&part.value)).collect();
            Some((parts.join("."), path.first()?.span.start))
        }
        _ => None,
    }
}

fn is_distinct(args: &FunctionArguments) -> bool {
    matches!(args, FunctionArguments::List(list) if list.duplicate_treatment.is_some() || !list.clauses.is_empty())
}

/// Aggregates that take numbers only.
const NUMERIC_AGGREGATES: [&str; 22] = [
    "approx_quantile",
    "percentile",
    "variance",
    "sum",
    "avg",
    "mean",
    "median",
    "approx_median",
    "approx_percentile_cont",
    "approx_percentile_cont_with_weight",
    "percentile_cont",
    "quantile_cont",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var",
    "var_pop",
    "var_samp",
    "var_population",
    "var_sample",
    "corr",
    "covar",
];

/// Wraps an open column, whose type depends on the spans there are.
fn as_number(expr: &mut Expr) {
    let name = match expr {
        Expr::Identifier(ident) => &ident.value,
        Expr::CompoundIdentifier(path) => match path.last() {
            Some(ident) => &ident.value,
            None => return,
        },
        _ => return,
    };
    if is_open_name(name) && canonical(name).is_none() {
        let inner = std::mem::replace(expr, Expr::value(Value::Null));
        *expr = call(AS_NUMBER, vec![inner]);
    }
}
