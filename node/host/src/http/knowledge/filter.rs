//! A filter as OpenAI's vector stores write it.
//!
//!     {"type": "eq", "key": "lang", "value": "rust"}
//!     {"type": "and", "filters": [ … ]}
//!
//! `field` may stand for `key`: some proxies drop every property of that name.

use gaia_core::knowledge::{Bounds, Comparison, Filter};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::fields::must_be;

/// Deeper than this nobody means it; the core counts again.
const DEPTH_MAX: usize = 8;

/// Parses a filter that stands at `place`.
///
/// # Errors
/// What makes no sense, by its place.
pub fn parse(place: &str, value: Value) -> Result<Filter, ApiError> {
    parse_at(place, value, DEPTH_MAX)
}

fn parse_at(place: &str, value: Value, depth: usize) -> Result<Filter, ApiError> {
    let Value::Object(mut map) = value else { return Err(must_be(place, "an object")) };
    if depth == 0 {
        return Err(must_be(place, &format!("nested at most {DEPTH_MAX} deep")));
    }
    let kind = map.remove("type").unwrap_or(Value::Null);
    let kind = kind.as_str().unwrap_or_default();
    let filter = match kind {
        "and" | "or" => {
            let list = parse_list(place, map.remove("filters"), depth)?;
            if kind == "and" { Filter::All(list) } else { Filter::Any(list) }
        }
        "eq" | "ne" | "gt" | "gte" | "lt" | "lte" | "in" | "nin" => {
            let path = map.remove("key").or_else(|| map.remove("field"));
            let Some(Value::String(path)) = path else {
                return Err(must_be(&format!("{place}.key"), "the name of a field"));
            };
            let value = map.remove("value").unwrap_or(Value::Null);
            compare(place, (path, kind), value)?
        }
        _ => {
            let what = "one of \"and\", \"or\", \"eq\", \"ne\", \"gt\", \"gte\", \"lt\", \"lte\", \
                        \"in\", \"nin\"";
            return Err(must_be(&format!("{place}.type"), what));
        }
    };
    match map.keys().next() {
        Some(unknown) => Err(ApiError::invalid(
            &format!("{place}.{unknown}"),
            format!("`{place}.{unknown}` is not a field of a filter"),
        )),
        None => Ok(filter),
    }
}

fn parse_list(place: &str, list: Option<Value>, depth: usize) -> Result<Vec<Filter>, ApiError> {
    let Some(Value::Array(list)) = list else {
        return Err(must_be(&format!("{place}.filters"), "a list of filters"));
    };
    let one = |(index, value)| parse_at(&format!("{place}.filters[{index}]"), value, depth - 1);
    list.into_iter().enumerate().map(one).collect()
}

fn compare(place: &str, (path, kind): (String, &str), value: Value) -> Result<Filter, ApiError> {
    let wrong =
        || must_be(&format!("{place}.value"), "a text, a number, true or false, or a list of them");
    let comparison = match kind {
        "eq" | "ne" => one_of(vec![value]).ok_or_else(wrong)?,
        "in" | "nin" => match value {
            Value::Array(list) => one_of(list).ok_or_else(wrong)?,
            _ => return Err(must_be(&format!("{place}.value"), "a list")),
        },
        _ => {
            let end = value.as_f64();
            let end = end.ok_or_else(|| must_be(&format!("{place}.value"), "a number"))?;
            Comparison::Range(match kind {
                "gt" => Bounds { gt: Some(end), ..Bounds::default() },
                "gte" => Bounds { gte: Some(end), ..Bounds::default() },
                "lt" => Bounds { lt: Some(end), ..Bounds::default() },
                _ => Bounds { lte: Some(end), ..Bounds::default() },
            })
        }
    };
    let field = Filter::Field { path, comparison };
    Ok(if matches!(kind, "ne" | "nin") { Filter::Not(Box::new(field)) } else { field })
}

/// What a list of values of one kind compares with.
fn one_of(list: Vec<Value>) -> Option<Comparison> {
    let texts: Option<Vec<_>> = list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
    let numbers: Option<Vec<_>> = list.iter().map(Value::as_i64).collect();
    match (texts, numbers, list.as_slice()) {
        (Some(texts), _, _) => Some(Comparison::TextIn(texts)),
        (_, Some(numbers), _) => Some(Comparison::NumberIn(numbers)),
        (_, _, [Value::Bool(value)]) => Some(Comparison::Bool(*value)),
        (_, _, [Value::Number(number)]) => {
            let value = number.as_f64();
            Some(Comparison::Range(Bounds { gte: value, lte: value, ..Bounds::default() }))
        }
        _ => None,
    }
}
