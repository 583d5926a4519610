//! The options JSON of the GGML encoding.
//!
//! Every key of the stock plugin is accepted and unknown ones are ignored, as there. Keys that
//! would change the loaded model or its context (`ctx-size`, `n-gpu-layers`, `batch-size`, `mmproj`, …)
//! have no effect: the node's config decides these, for all guests of a model alike.

use serde_json::Value;

use super::errno::Errno;

/// Options of one context. `None` means the engine's default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) enable_log: bool,
    /// Tokens to generate at most. `None`: until the model ends or the context is full.
    pub(crate) predict_tokens: Option<u32>,
    pub(crate) reverse_prompt: Option<String>,
    pub(crate) temperature: Option<f32>,
    pub(crate) top_p: Option<f32>,
    pub(crate) min_p: Option<f32>,
    pub(crate) top_k: Option<i32>,
    pub(crate) repeat_penalty: Option<f32>,
    pub(crate) presence_penalty: Option<f32>,
    pub(crate) frequency_penalty: Option<f32>,
    pub(crate) penalty_last_tokens: Option<i32>,
    pub(crate) seed: Option<u32>,
    /// Make a vector instead of text; `None`: what the model is for.
    pub(crate) embedding: Option<bool>,
    /// An extension of this backend: cut the prompt at each `TOKEN_BREAK`.
    pub(crate) token_break: bool,
    /// An extension of this backend: the prompt shows pictures at its `PICTURE_MARK`s.
    pub(crate) pictures: bool,
    /// What the answer must look like. `grammar` and `json-schema` are the stock plugin's,
    /// `lark-grammar` is an extension; the one set last holds.
    pub(crate) grammar: Option<Grammar>,
    /// Extensions: added to these tokens' logits; go on at the model's end; tell each token's log
    /// probability and those of so many of the likeliest; tell those of the prompt's tokens too.
    pub(crate) logit_bias: Vec<(i32, f32)>,
    pub(crate) ignore_end: bool,
    pub(crate) logprobs: Option<u32>,
    pub(crate) prompt_logprobs: bool,
}

/// What an answer must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grammar {
    JsonSchema(String),
    Gbnf(String),
    Lark(String),
}

/// What the stock plugin would do and this backend can't yet: said in the log, once per call.
const UNSUPPORTED: [&str; 2] = ["image", "tts"];

impl Options {
    /// These options with those of `json` put over them. A failure changes nothing.
    ///
    /// # Errors
    /// `InvalidEncoding` if it is no JSON object, `InvalidArgument` if a value has a wrong type.
    pub(crate) fn merged(&self, json: &[u8]) -> Result<Self, Errno> {
        let Ok(Value::Object(object)) = serde_json::from_slice(json) else {
            tracing::warn!("the options of a guest are not a JSON object");
            return Err(Errno::InvalidEncoding);
        };
        let mut options = self.clone();
        for (key, value) in &object {
            options.put(key, value).map_err(|expected| {
                tracing::warn!(key, expected, "an option of a guest has a wrong type");
                Errno::InvalidArgument
            })?;
        }
        Ok(options)
    }

    /// Puts one key; the error says what its value should be.
    fn put(&mut self, key: &str, value: &Value) -> Result<(), &'static str> {
        match key {
            "enable-log" => self.enable_log = boolean(value)?,
            "embedding" => self.embedding = Some(boolean(value)?),
            gaia_protocol::TOKEN_BREAK_OPTION => self.token_break = boolean(value)?,
            gaia_protocol::PICTURE_OPTION => self.pictures = boolean(value)?,
            "n-predict" => self.predict_tokens = limit(integer(value)?),
            "reverse-prompt" => self.reverse_prompt = non_empty(text(value)?),
            "seed" => self.seed = seed(integer(value)?),
            "top-k" => self.top_k = Some(clamp(integer(value)?)),
            "last-n-penalty" => self.penalty_last_tokens = Some(clamp(integer(value)?)),
            "temp" => self.temperature = Some(at_least_zero(value)?),
            "top-p" => self.top_p = Some(at_least_zero(value)?),
            "min-p" => self.min_p = Some(at_least_zero(value)?),
            "repeat-penalty" => self.repeat_penalty = Some(at_least_zero(value)?),
            // The stock plugin raises these to zero; OpenAI's API, which they come from, does not.
            "presence-penalty" => self.presence_penalty = Some(number(value)?),
            "frequency-penalty" => self.frequency_penalty = Some(number(value)?),
            "grammar" => self.grammar = non_empty(text(value)?).map(Grammar::Gbnf),
            "json-schema" => self.grammar = non_empty(text(value)?).map(Grammar::JsonSchema),
            "lark-grammar" => self.grammar = non_empty(text(value)?).map(Grammar::Lark),
            "logit-bias" => self.logit_bias = biases(value)?,
            "ignore-eos" => self.ignore_end = boolean(value)?,
            "logprobs" => self.logprobs = u32::try_from(integer(value)?).ok(),
            "prompt-logprobs" => self.prompt_logprobs = boolean(value)?,
            other if UNSUPPORTED.contains(&other) && asks(value) => {
                tracing::warn!(key, "this backend does not support an option that a guest set");
            }
            _ => {}
        }
        Ok(())
    }
}

fn boolean(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("a boolean")
}

/// Like the stock plugin's parser, takes no 1.0 for 1. Beyond 64 bits signed is no integer either.
fn integer(value: &Value) -> Result<i64, &'static str> {
    value.as_i64().ok_or("an integer")
}

fn text(value: &Value) -> Result<&str, &'static str> {
    value.as_str().ok_or("a string")
}

fn number(value: &Value) -> Result<f32, &'static str> {
    value.as_f64().map(|number| number as f32).ok_or("a number")
}

fn biases(value: &Value) -> Result<Vec<(i32, f32)>, &'static str> {
    let expected = "a list of pairs of a token and a number";
    let pair = |pair: &Value| {
        let [token, bias] = pair.as_array()?.as_slice() else { return None };
        Some((i32::try_from(token.as_i64()?).ok()?, bias.as_f64()? as f32))
    };
    let pairs = value.as_array().ok_or(expected)?.iter().map(pair);
    pairs.collect::<Option<_>>().ok_or(expected)
}

/// The stock plugin raises negative numbers to zero.
fn at_least_zero(value: &Value) -> Result<f32, &'static str> {
    value.as_f64().map(|number| number.max(0.0) as f32).ok_or("a number")
}

/// Negative: no limit (the stock plugin's -1), or until the context is full (-2), which is the same.
fn limit(tokens: i64) -> Option<u32> {
    (tokens >= 0).then(|| u32::try_from(tokens).unwrap_or(u32::MAX))
}

/// llama.cpp's seed is 32 bits, all ones meaning random; so is -1 before the cut.
fn seed(seed: i64) -> Option<u32> {
    let cut = seed as u32;
    (cut != u32::MAX).then_some(cut)
}

fn clamp(number: i64) -> i32 {
    number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A value that asks for something, and not an empty or switched-off one.
fn asks(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false)) && value.as_str() != Some("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(json: &str) -> Result<Options, Errno> {
        Options::default().merged(json.as_bytes())
    }

    #[test]
    fn what_is_no_json_object_is_an_invalid_encoding() {
        for json in ["", "{", "[]", "1", "{\"temp\":}", "\u{0}"] {
            assert_eq!(merged(json), Err(Errno::InvalidEncoding), "{json:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(merged(&deep), Err(Errno::InvalidEncoding));
    }

    #[test]
    fn a_wrong_type_is_an_invalid_argument() {
        for json in [
            r#"{"temp":"hot"}"#,
            r#"{"n-predict":1.5}"#,
            r#"{"enable-log":1}"#,
            r#"{"reverse-prompt":[]}"#,
            r#"{"seed":18446744073709551615}"#,
            r#"{"embedding":"yes"}"#,
            r#"{"grammar":{}}"#,
            r#"{"logit-bias":{"1":2}}"#,
            r#"{"logit-bias":[[1]]}"#,
        ] {
            assert_eq!(merged(json), Err(Errno::InvalidArgument), "{json}");
        }
    }

    #[test]
    fn what_llama_core_sends_is_accepted() {
        let options = merged(
            r#"{"model_name":"m","enable-log":true,"enable-debug-log":false,"embedding":false,
                "n-predict":-1,"n-gpu-layers":100,"split-mode":"layer","ctx-size":4096,
                "batch-size":512,"ubatch-size":512,"threads":2,"temp":1,"top-p":0.9,
                "repeat-penalty":1.1,"presence-penalty":0.5,"frequency-penalty":-3,"grammar":"",
                "include_usage":true,"use-mmap":true,"tensor-split":"3,2"}"#,
        )
        .expect("accepted");
        assert!(options.enable_log);
        assert_eq!(options.predict_tokens, None);
        assert_eq!(options.temperature, Some(1.0));
        assert_eq!(options.frequency_penalty, Some(-3.0));
        assert_eq!(options.grammar, None);
        assert_eq!(options.embedding, Some(false));
    }

    #[test]
    fn a_second_metadata_keeps_what_it_does_not_name() {
        let first = merged(r#"{"temp":0.5,"seed":7,"reverse-prompt":"USER:"}"#).expect("good");
        let second = first.merged(br#"{"temp":0,"reverse-prompt":""}"#).expect("good");
        assert_eq!(second.temperature, Some(0.0));
        assert_eq!(second.seed, Some(7));
        assert_eq!(second.reverse_prompt, None);
    }

    #[test]
    fn the_grammar_set_last_holds() {
        let first = merged(r#"{"json-schema":"{}"}"#).expect("good");
        assert_eq!(first.grammar, Some(Grammar::JsonSchema("{}".into())));
        let second = first.merged(br#"{"lark-grammar":"start: /a/"}"#).expect("good");
        assert_eq!(second.grammar, Some(Grammar::Lark("start: /a/".into())));
        assert_eq!(second.merged(br#"{"grammar":""}"#).expect("good").grammar, None);
    }

    #[test]
    fn biases_are_pairs() {
        let options = merged(r#"{"logit-bias":[[5,-100],[7,0.5]]}"#).expect("good");
        assert_eq!(options.logit_bias, [(5, -100.0), (7, 0.5)]);
    }

    #[test]
    fn numbers_have_the_plugins_meaning() {
        assert_eq!(merged(r#"{"n-predict":-2}"#).expect("good").predict_tokens, None);
        assert_eq!(merged(r#"{"n-predict":0}"#).expect("good").predict_tokens, Some(0));
        assert_eq!(merged(r#"{"seed":-1}"#).expect("good").seed, None);
        assert_eq!(merged(r#"{"seed":4294967295}"#).expect("good").seed, None);
        assert_eq!(merged(r#"{"seed":0}"#).expect("good").seed, Some(0));
    }
}
