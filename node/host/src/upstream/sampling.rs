//! Settings of sampling as a server reads them, and the fields that all requests for text have.

use gaia_protocol::Sampling;
use serde_json::{Map, Value, json};

use crate::config::{MaxTokensField, UpstreamConfig};

/// What a request for text asks for, besides what it is about.
pub struct Wishes {
    pub sampling: Sampling,
    pub max_tokens: Option<u32>,
    pub stop: Vec<String>,
}

/// The fields of a streamed request. What was not asked for is not sent: the server has its defaults,
/// and some refuse fields that they don't know.
pub fn fields(config: &UpstreamConfig, wishes: &Wishes) -> Map<String, Value> {
    let Wishes { sampling, max_tokens, stop } = wishes;
    let max_tokens_field = match config.max_tokens_field {
        MaxTokensField::MaxTokens => "max_tokens",
        MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
    };
    let bias: Map<_, _> =
        sampling.logit_bias.iter().map(|(id, bias)| (id.to_string(), number(*bias))).collect();
    let wanted = [
        ("temperature", sampling.temperature.map(number)),
        ("top_p", sampling.top_p.map(number)),
        ("top_k", sampling.top_k.map(Value::from)),
        ("min_p", sampling.min_p.map(number)),
        ("frequency_penalty", sampling.frequency_penalty.map(number)),
        ("presence_penalty", sampling.presence_penalty.map(number)),
        ("repeat_penalty", sampling.repeat_penalty.map(number)),
        ("logit_bias", (!bias.is_empty()).then(|| bias.into())),
        ("seed", sampling.seed.map(Value::from)),
        ("ignore_eos", sampling.ignore_eos.then_some(true.into())),
        (max_tokens_field, max_tokens.map(Value::from)),
        ("stop", (!stop.is_empty()).then(|| json!(stop))),
    ];
    let always = [
        ("model", json!(config.model)),
        ("stream", json!(true)),
        ("stream_options", json!({"include_usage": true})),
    ];
    let wanted = wanted.into_iter().filter_map(|(name, value)| Some((name, value?)));
    always.into_iter().chain(wanted).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As short as it was written: 0.7 and not 0.699999988.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}
