//! What a completion request may say.

use gaia_protocol::{CompleteTask, Input};
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be, not_supported};
use crate::http::generate::{self, CHOICES_MAX, Generate, StreamOptions};
use crate::http::openapi::Schema;
use crate::http::{format, inputs};

/// Answers that one request may ask for, over all its prompts: about what a model has room for.
const ANSWERS_MAX: usize = 64;

/// OpenAI's limit on the likeliest tokens of this route.
const LOGPROBS_MAX: u32 = 5;

/// A valid request.
#[derive(Debug)]
pub struct CompletionRequest {
    /// The model's name, if one is given.
    pub model: Option<String>,
    /// The work: one task for each prompt.
    pub tasks: Vec<CompleteTask>,
    /// How many answers are wanted to each prompt.
    pub choices: u32,
    /// How many likeliest tokens are to be told of each token, if any.
    pub logprobs: Option<u32>,
    /// Whether and how to stream.
    pub stream: Option<StreamOptions>,
}

impl CompletionRequest {
    /// Checks every field.
    pub fn parse(mut fields: Fields) -> Result<Self, ApiError> {
        let prompts = inputs::parse("prompt", fields.required("prompt")?, ANSWERS_MAX)?;
        let choices = take_choices(&mut fields, prompts.len())?;
        let logprobs = fields.integer("logprobs", 0..=LOGPROBS_MAX)?;
        let (model, task, stream) = take_task(&mut fields, logprobs)?;
        fields.finish(&[])?;
        let of_prompt = |prompt: Input| CompleteTask { prompt, ..task.clone() };
        let tasks = prompts.into_iter().map(of_prompt).collect();
        Ok(Self { model, tasks, choices, logprobs, stream })
    }
}

/// Describes the fields.
pub fn schema() -> Schema {
    Schema::object()
        .needs("prompt", inputs::schema(ANSWERS_MAX))
        .with(generate::describe)
        .may("n", Schema::integer().within(1, CHOICES_MAX).says("Answers to each prompt."))
        .may("best_of", Schema::integer().least(1).says("As `n`."))
        .may("logprobs", Schema::integer().within(0, LOGPROBS_MAX))
        .may("echo", Schema::flag().says("Repeat the prompt before the answer."))
        .may(
            "suffix",
            Schema::text().says("What follows the answer: it is written to fit between."),
        )
        .with(format::describe)
}

type Shared = (Option<String>, CompleteTask, Option<StreamOptions>);

/// What holds for every prompt.
fn take_task(fields: &mut Fields, logprobs: Option<u32>) -> Result<Shared, ApiError> {
    let echo = fields.flag("echo")?;
    let suffix = fields.string("suffix")?.filter(|suffix| !suffix.is_empty());
    if echo && suffix.is_some() {
        let message = "`echo` repeats what is before the answer, `suffix` follows it; give one";
        return Err(ApiError::invalid("suffix", message));
    }
    // To hear of the prompt alone is a use of its own: its tokens and their probabilities.
    let nothing_new = echo && fields.take_if("max_tokens", |value| *value == 0);
    let format = format::take(fields)?;
    let Generate { model, mut sampling, max_tokens, stop, stream } = Generate::take(fields)?;
    sampling.logprobs = logprobs;
    let max_tokens = if nothing_new { Some(0) } else { max_tokens };
    let prompt = Input::default();
    let task = CompleteTask { prompt, suffix, echo, format, sampling, max_tokens, stop };
    Ok((model, task, stream))
}

fn take_choices(fields: &mut Fields, prompts: usize) -> Result<u32, ApiError> {
    let choices = fields.integer("n", 1..=CHOICES_MAX)?.unwrap_or(1);
    if prompts * choices as usize > ANSWERS_MAX {
        let what = format!("so small that {prompts} prompts make at most {ANSWERS_MAX} answers");
        return Err(must_be("n", &what));
    }
    // More answers than are shown would have to be judged; all are shown here.
    let best_of = fields.take("best_of");
    if best_of.is_some_and(|best_of: Value| best_of != choices) {
        return Err(not_supported("best_of"));
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use gaia_protocol::Format;

    use super::*;

    fn parse(body: &str) -> Result<CompletionRequest, ApiError> {
        CompletionRequest::parse(Fields::parse(body.as_bytes()).expect("an object"))
    }

    #[test]
    fn each_wrong_field_is_named() {
        let many = format!(r#"{{"prompt": {:?}}}"#, vec!["a"; 65]);
        let much = format!(r#"{{"prompt": {:?}, "n": 2}}"#, vec!["a"; 33]);
        for (body, param) in [
            ("{}", "prompt"),
            (r#"{"prompt": ""}"#, "prompt"),
            (r#"{"prompt": []}"#, "prompt"),
            (r#"{"prompt": ["a", 1]}"#, "prompt"),
            (many.as_str(), "prompt"),
            (much.as_str(), "n"),
            (r#"{"prompt": "a", "n": 17}"#, "n"),
            (r#"{"prompt": "a", "best_of": 2}"#, "best_of"),
            (r#"{"prompt": "a", "echo": 1}"#, "echo"),
            (r#"{"prompt": "a", "suffix": 7}"#, "suffix"),
            (r#"{"prompt": "a", "suffix": "b", "echo": true}"#, "suffix"),
            (r#"{"prompt": "a", "logprobs": 6}"#, "logprobs"),
            (r#"{"prompt": "a", "logprobs": true}"#, "logprobs"),
            (r#"{"prompt": "a", "max_tokens": 0}"#, "max_tokens"),
            (r#"{"prompt": "a", "max_tokens": -1, "echo": true}"#, "max_tokens"),
            (r#"{"prompt": "a", "grammar": 7}"#, "grammar"),
            (r#"{"prompt": "a", "response_format": 7}"#, "response_format"),
            (r#"{"prompt": "a", "messages": []}"#, "messages"),
            (r#"{"prompt": "a", "tools": []}"#, "tools"),
            (r#"{"prompt": "a", "temperature": 3}"#, "temperature"),
        ] {
            let error = parse(body).expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn a_prompt_may_stand_in_a_list_of_one() {
        let body = r#"{"prompt": ["a"], "best_of": 1, "echo": false, "n": 1, "suffix": ""}"#;
        let request = parse(body).expect("good");
        let task = CompleteTask { prompt: Input::from("a"), ..CompleteTask::default() };
        assert_eq!((request.tasks, request.choices, request.logprobs), (vec![task], 1, None));
    }

    #[test]
    fn good_fields_reach_every_prompts_task() {
        let request = parse(
            r#"{"prompt": [[1, 2], [3]], "n": 2, "best_of": 2, "echo": true, "max_tokens": 0,
            "logprobs": 0, "seed": 5, "stop": "x", "grammar": "root ::= [a]"}"#,
        )
        .expect("good");
        assert_eq!((request.tasks.len(), request.choices, request.logprobs), (2, 2, Some(0)));
        let task = &request.tasks[1];
        assert_eq!(task.prompt, Input::Tokens(vec![3]));
        assert_eq!((task.echo, task.max_tokens, &task.stop), (true, Some(0), &vec!["x".into()]));
        assert_eq!((task.sampling.logprobs, task.sampling.seed), (Some(0), Some(5)));
        assert_eq!(task.format, Format::Grammar("root ::= [a]".into()));
        let filled = parse(r#"{"prompt": "a", "suffix": "b"}"#).expect("good");
        assert_eq!(filled.tasks[0].suffix.as_deref(), Some("b"));
    }
}
