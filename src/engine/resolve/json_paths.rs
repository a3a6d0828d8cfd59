//! Values in JSON by a path: `json_extract(x, '$.a[0].b')` and its like, as the functions that take one step each.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value};

use super::ast::{call, literal, text};

/// A call of a function over JSON by the name of DuckDB, PostgreSQL, SQLite or MySQL.
pub(super) fn json_call(name: &str, mut args: Vec<Expr>) -> Option<Expr> {
    let (known, steps) = match name {
        "json_extract" | "json_query" | "json_extract_path" | "jsonb_extract_path" => ("json_get_json", true),
        "json_extract_string"
        | "json_extract_scalar"
        | "json_value"
        | "json_extract_path_text"
        | "jsonb_extract_path_text"
        | "get_json_object" => ("json_as_text", true),
        "json_array_length" | "jsonb_array_length" => ("json_length", false),
        "json_keys" | "jsonb_object_keys" => ("json_object_keys", false),
        _ => return None,
    };
    if !steps || args.len() < 2 {
        return (!steps).then(|| call(known, args));
    }
    let mut path = args.split_off(1);
    if let [only] = path.as_slice()
        && let Some(typed) = literal(only).filter(|typed| typed.starts_with(['$', '/']))
    {
        // What is no such path is left as it is: a key that no value has.
        path = steps_of(typed).unwrap_or(path);
    }
    args.extend(path);
    Some(call(known, args))
}

/// `x -> '$.a.b'` and `x ->> '$.a.b'`: the second as text.
pub(super) fn as_path(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    let known = match op {
        BinaryOperator::Arrow => "json_get_json",
        BinaryOperator::LongArrow => "json_as_text",
        _ => return None,
    };
    let typed = literal(right).filter(|typed| typed.starts_with("$.") || typed.starts_with("$["))?;
    let mut args = vec![left.clone()];
    args.extend(steps_of(typed)?);
    Some(call(known, args))
}

/// The steps of `$.a[0]."b.c"` or `/a/0/b`; none where it is no path.
fn steps_of(path: &str) -> Option<Vec<Expr>> {
    let index = |digits: &str| digits.parse::<i64>().ok().map(|_| Expr::value(Value::Number(digits.to_owned(), false)));
    if let Some(pointer) = path.strip_prefix('/') {
        return Some(pointer.split('/').map(|step| index(step).unwrap_or_else(|| text(step))).collect());
    }
    let mut rest = path.strip_prefix('$')?;
    let mut steps = vec![];
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (step, behind) = inside.split_once(']')?;
            let quoted = step.strip_prefix(['\'', '"']).and_then(|step| step.strip_suffix(['\'', '"']));
            steps.push(match quoted {
                Some(key) => text(key),
                None => index(step)?,
            });
            rest = behind;
        } else if let Some(inside) = rest.strip_prefix(".\"") {
            let (key, behind) = inside.split_once('"')?;
            steps.push(text(key));
            rest = behind;
        } else {
            let inside = rest.strip_prefix('.')?;
            let end = inside.find(['.', '[']).unwrap_or(inside.len());
            let key = &inside[..end];
            if key.is_empty() || key.contains('*') {
                return None;
            }
            steps.push(text(key));
            rest = &inside[end..];
        }
    }
    (!steps.is_empty()).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::steps_of;

    #[test]
    fn paths_of_two_kinds() {
        let steps = |path: &str| {
            let steps = steps_of(path)?;
            Some(steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        for (path, expected) in [
            ("$.a.b", Some("'a' 'b'")),
            ("$.a[0].b", Some("'a' 0 'b'")),
            ("$[1]", Some("1")),
            ("$.\"a.b\"['c d']", Some("'a.b' 'c d'")),
            ("/a/0/b", Some("'a' 0 'b'")),
            ("$", None),
            ("$.a.*", None),
            ("$a", None),
        ] {
            assert_eq!(steps(path).as_deref(), expected, "{path}");
        }
    }
}
