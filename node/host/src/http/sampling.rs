//! How a request wants its tokens chosen: OpenAI's fields and llama-server's.

use gaia_protocol::Sampling;
use serde_json::Value;

use super::error::ApiError;
use super::fields::{Fields, must_be};
use super::openapi::Schema;

/// As many as OpenAI takes of a vocabulary.
const BIASES_MAX: usize = 1024;

/// Takes the fields; log probabilities differ from route to route and are left out.
pub fn take(fields: &mut Fields) -> Result<Sampling, ApiError> {
    let penalty = |x: f64| (-2.0..=2.0).contains(&x);
    Ok(Sampling {
        temperature: fields.number("temperature", "from 0 to 2", |x| (0.0..=2.0).contains(&x))?,
        top_p: fields.number("top_p", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?,
        top_k: fields.integer("top_k", 0..=u32::MAX)?,
        min_p: fields.number("min_p", "from 0 to 1", |x| (0.0..=1.0).contains(&x))?,
        frequency_penalty: fields.number("frequency_penalty", "from -2 to 2", penalty)?,
        presence_penalty: fields.number("presence_penalty", "from -2 to 2", penalty)?,
        repeat_penalty: fields
            .number("repeat_penalty", "above 0, at most 2", |x| x > 0.0 && x <= 2.0)?,
        logit_bias: take_bias(fields)?,
        seed: take_seed(fields)?,
        ignore_eos: fields.flag("ignore_eos")?,
        logprobs: None,
    })
}

/// Describes the fields.
pub fn describe(body: Schema) -> Schema {
    let penalty = || Schema::number().within(-2, 2);
    let biases = Schema::map(Schema::number().within(-100, 100));
    body.may(
        "temperature",
        Schema::number().within(0, 2).says("0 always takes the likeliest token."),
    )
    .may("top_p", Schema::number().within(0, 1))
    .may("top_k", Schema::integer().least(0))
    .may("min_p", Schema::number().within(0, 1))
    .may("frequency_penalty", penalty())
    .may("presence_penalty", penalty())
    .may("repeat_penalty", Schema::number().within(0, 2))
    .may("logit_bias", biases.says("What is added to the logits of tokens, by their ids."))
    .may("seed", Schema::integer().says("The same seed makes the same choices."))
    .may(
        "ignore_eos",
        Schema::flag()
            .says("Go on behind the model's own end, but not behind a grammar's or schema's."),
    )
}

/// OpenAI's seeds have 64 bits, the engine's 32: both halves count.
fn take_seed(fields: &mut Fields) -> Result<Option<u32>, ApiError> {
    let Some(value) = fields.take("seed") else { return Ok(None) };
    let bits = value.as_u64().or_else(|| value.as_i64().map(i64::cast_unsigned));
    let bits = bits.ok_or_else(|| must_be("seed", "an integer of 64 bits"))?;
    #[expect(clippy::cast_possible_truncation, reason = "the halves are taken on purpose")]
    Ok(Some(bits as u32 ^ (bits >> 32) as u32))
}

fn take_bias(fields: &mut Fields) -> Result<Vec<(u32, f32)>, ApiError> {
    let Some(value) = fields.take("logit_bias") else { return Ok(vec![]) };
    let wrong = || {
        let what = "an object from token ids to numbers from -100 to 100";
        must_be("logit_bias", &format!("{what}, {BIASES_MAX} at most"))
    };
    let Value::Object(map) = value else { return Err(wrong()) };
    if map.len() > BIASES_MAX {
        return Err(wrong());
    }
    let biases = map.iter().map(|(token, bias)| one_bias(token, bias).ok_or_else(wrong));
    let mut biases = biases.collect::<Result<Vec<_>, _>>()?;
    biases.sort_by_key(|(token, _)| *token);
    Ok(biases)
}

fn one_bias(token: &str, bias: &Value) -> Option<(u32, f32)> {
    let bias = bias.as_f64().filter(|bias| (-100.0..=100.0).contains(bias))?;
    #[expect(clippy::cast_possible_truncation, reason = "logits are f32")]
    Some((token.parse().ok()?, bias as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Sampling, ApiError> {
        take(&mut Fields::parse(json.as_bytes()).expect("an object"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        let many: Vec<_> = (0..1025).map(|id| format!("\"{id}\": 1")).collect();
        let many = format!("{{\"logit_bias\": {{{}}}}}", many.join(","));
        for (json, param) in [
            (r#"{"temperature": "warm"}"#, "temperature"),
            (r#"{"temperature": 2.1}"#, "temperature"),
            (r#"{"temperature": -0.1}"#, "temperature"),
            (r#"{"top_p": -0.1}"#, "top_p"),
            (r#"{"top_p": 1.1}"#, "top_p"),
            (r#"{"top_k": -1}"#, "top_k"),
            (r#"{"top_k": 1.5}"#, "top_k"),
            (r#"{"min_p": 1.5}"#, "min_p"),
            (r#"{"frequency_penalty": 2.5}"#, "frequency_penalty"),
            (r#"{"presence_penalty": "a"}"#, "presence_penalty"),
            (r#"{"repeat_penalty": 0}"#, "repeat_penalty"),
            (r#"{"repeat_penalty": 9}"#, "repeat_penalty"),
            (r#"{"logit_bias": []}"#, "logit_bias"),
            (r#"{"logit_bias": {"a": 1}}"#, "logit_bias"),
            (r#"{"logit_bias": {"-1": 1}}"#, "logit_bias"),
            (r#"{"logit_bias": {"1": 101}}"#, "logit_bias"),
            (r#"{"logit_bias": {"1": false}}"#, "logit_bias"),
            (many.as_str(), "logit_bias"),
            (r#"{"seed": 1.5}"#, "seed"),
            (r#"{"seed": "1"}"#, "seed"),
            (r#"{"ignore_eos": 1}"#, "ignore_eos"),
        ] {
            let error = parse(json).expect_err(json);
            assert_eq!(error.param.as_deref(), Some(param), "{json}");
        }
    }

    #[test]
    fn good_fields_are_taken() {
        let taken = parse(
            r#"{"temperature": 0, "top_p": 0, "top_k": 0, "min_p": 0.5, "frequency_penalty": -2,
            "presence_penalty": 2, "repeat_penalty": 1.5, "logit_bias": {"10": 0.5, "7": -100},
            "seed": 7, "ignore_eos": true}"#,
        );
        let wanted = Sampling {
            temperature: Some(0.0),
            top_p: Some(0.0),
            top_k: Some(0),
            min_p: Some(0.5),
            frequency_penalty: Some(-2.0),
            presence_penalty: Some(2.0),
            repeat_penalty: Some(1.5),
            logit_bias: vec![(7, -100.0), (10, 0.5)],
            seed: Some(7),
            logprobs: None,
            ignore_eos: true,
        };
        assert_eq!(taken.expect("good"), wanted);
        assert_eq!(parse(r#"{"seed": -1}"#).expect("good").seed, Some(0));
        assert_eq!(parse("{}").expect("good"), Sampling::default());
    }
}
