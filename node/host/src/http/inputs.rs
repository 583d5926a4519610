//! Texts and token lists as OpenAI's fields `prompt` and `input` give them.

use gaia_protocol::Input;
use serde_json::Value;

use super::error::ApiError;
use super::fields::must_be;
use super::openapi::Schema;

/// llama.cpp's token ids are signed.
const TOKEN_MAX: u64 = i32::MAX as u64;

/// Reads a string, a list of strings, a list of token ids or a list of such lists; 1 to `most`, none
/// of them empty.
pub fn parse(param: &str, value: Value, most: usize) -> Result<Vec<Input>, ApiError> {
    let wrong = || {
        let what = format!("a text, a list of token ids, or a list of 1 to {most} of one of these");
        must_be(param, &format!("{what}, none of them empty"))
    };
    let list = match value {
        Value::String(text) => return one_text(text).map(|text| vec![text]).ok_or_else(wrong),
        Value::Array(list) if list.first().is_some_and(Value::is_number) => {
            return tokens(&list).map(|tokens| vec![tokens]).ok_or_else(wrong);
        }
        Value::Array(list) if (1..=most).contains(&list.len()) => list,
        _ => return Err(wrong()),
    };
    let texts = list.iter().all(Value::is_string);
    let input = |value| match value {
        Value::String(text) if texts => one_text(text),
        Value::Array(list) => tokens(&list),
        _ => None,
    };
    list.into_iter().map(|value| input(value).ok_or_else(wrong)).collect()
}

/// Describes what [`parse`] reads.
pub fn schema(most: usize) -> Schema {
    let tokens = || Schema::list(Schema::integer().within(0, TOKEN_MAX)).at_least_one();
    let many = |kind| Schema::list(kind).items(1, most);
    let kinds = [Schema::filled(), many(Schema::filled()), tokens(), many(tokens())];
    Schema::either(kinds)
        .says("A text, a list of texts, a list of token ids, or a list of such lists.")
}

fn one_text(text: String) -> Option<Input> {
    (!text.is_empty()).then_some(Input::Text(text))
}

fn tokens(list: &[Value]) -> Option<Input> {
    let tokens: Option<Vec<u32>> = list.iter().map(token).collect();
    tokens.filter(|tokens| !tokens.is_empty()).map(Input::Tokens)
}

/// A token's id.
pub fn token(value: &Value) -> Option<u32> {
    value.as_u64().filter(|id| *id <= TOKEN_MAX).and_then(|id| u32::try_from(id).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_list_of_one_kind_is_refused_by_name() {
        for value in [
            json!(7),
            json!({}),
            json!(""),
            json!([]),
            json!(["a", ""]),
            json!(["a", "b", "c"]),
            json!(["a", 1]),
            json!(["a", [1]]),
            json!([1, "a"]),
            json!([-1]),
            json!([1.5]),
            json!([1u64 << 31]),
            json!([[]]),
            json!([[1], 2]),
            json!([[1], [[2]]]),
        ] {
            let error = parse("input", value.clone(), 2).expect_err("refused");
            assert_eq!(error.param.as_deref(), Some("input"), "{value}");
        }
    }

    #[test]
    fn the_four_forms_are_read() {
        let tokens = |ids: &[u32]| Input::Tokens(ids.to_vec());
        for (value, wanted) in [
            (json!("a"), vec![Input::from("a")]),
            (json!(["a", "b"]), vec![Input::from("a"), Input::from("b")]),
            (json!([1, 2, 3]), vec![tokens(&[1, 2, 3])]),
            (json!([[1], [2, 3]]), vec![tokens(&[1]), tokens(&[2, 3])]),
        ] {
            assert_eq!(parse("input", value, 2).expect("good"), wanted);
        }
    }
}
