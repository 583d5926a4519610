//! From a request to a prompt.

use gaia_app_sdk::{
    ChatTask, CompleteTask, ErrorCode, Failure, Format, GenerateJob, GenerateOptions, Grammar,
    Guard, GuestModel, GuestRequest, Input, Plain, Speaker, Strictness, Task,
};

use crate::families::Family;
use crate::prompt::{self, Prompt};
use crate::speech::Speech;
use crate::{Renderer, calls};

/// A request, ready for the engine.
#[derive(Debug)]
pub struct Work<'a> {
    /// What the model reads.
    pub prompt: Input,
    echo: Option<&'a Input>,
    options: GenerateOptions,
    stop: &'a [String],
    context_tokens: u32,
    param: &'static str,
    grammar_param: &'static str,
    speech: Option<Speech<'a>>,
}

impl<'a> Work<'a> {
    /// What a request for text asks for.
    ///
    /// # Errors
    /// A [`Failure`] that names the field of the request, to report as it is.
    pub fn new(request: &'a GuestRequest, renderer: &Renderer) -> Result<Self, Failure> {
        match &request.task {
            Task::Chat(task) => Self::chat(&request.model, task, renderer),
            Task::Complete(task) => Self::complete(&request.model, task),
            Task::Embed(_) => {
                Err(refuse("model", "this model generates text; it can't turn texts into vectors"))
            }
            Task::Rank(_) => {
                Err(refuse("model", "this model generates text; it can't rank documents"))
            }
            Task::Tokenize(_) => Err(refuse("model", "tokens are no text to generate")),
        }
    }

    fn chat(model: &GuestModel, task: &'a ChatTask, renderer: &Renderer) -> Result<Self, Failure> {
        let Prompt { text, family, thinks } = prompt::chat(model, task, renderer)?;
        let mut options = GenerateOptions::new(&task.sampling, task.max_tokens);
        options.token_break = true;
        options.pictures = prompt::shows_pictures(task);
        let shape = Shape::of(family, model, task)?;
        options.grammar = shape.grammar;
        let calls = prompt::offers_functions(task);
        let thinks = thinks && shape.has_room_for_thoughts;
        let tools = if calls { &task.tools.list[..] } else { &[] };
        // Where a form is demanded all text is the answer, whatever stands in it.
        let speaks = task.format == Format::Text && (!tools.is_empty() || family.thinks());
        let speech = Speech::new(family, tools, thinks).single(task.tools.single);
        // A prompt that is only counted may be longer than the context, for nothing is computed.
        let is_counted = task.max_tokens == Some(0);
        Ok(Self {
            prompt: Input::Text(text),
            echo: None,
            options,
            stop: &task.stop,
            context_tokens: if is_counted { u32::MAX } else { model.context_tokens },
            param: "messages",
            grammar_param: shape.param,
            speech: speaks.then_some(speech),
        })
    }

    /// What a completion asks for. Its prompt is raw, as in llama-server: control tokens spelled in
    /// it are control tokens, so that a client can write the whole format itself.
    fn complete(model: &GuestModel, task: &'a CompleteTask) -> Result<Self, Failure> {
        if task.prompt.is_empty() && !model.adds_bos {
            return Err(refuse("prompt", "prompt is empty"));
        }
        let mut options = GenerateOptions::new(&task.sampling, task.max_tokens);
        options.grammar = Grammar::of(&task.format);
        // With a suffix the model reads more than what is echoed.
        options.prompt_logprobs =
            task.echo && task.suffix.is_none() && task.sampling.logprobs.is_some();
        let mut prompt = task.prompt.clone();
        if let Some(suffix) = &task.suffix {
            prompt = Input::Text(around(model, &task.prompt, suffix)?);
            options.token_break = true;
        }
        Ok(Self {
            prompt,
            echo: task.echo.then_some(&task.prompt),
            options,
            stop: &task.stop,
            context_tokens: model.context_tokens,
            param: "prompt",
            grammar_param: "grammar",
            speech: None,
        })
    }

    /// The work as the sdk takes it.
    #[must_use]
    pub fn job(&self) -> GenerateJob<'_> {
        GenerateJob {
            prompt: &self.prompt,
            echo: self.echo,
            options: self.options.clone(),
            stop: self.stop,
            context_tokens: self.context_tokens,
            param: self.param,
            grammar_param: self.grammar_param,
        }
    }

    /// What reads the model's text.
    pub fn speaker(&mut self) -> Box<dyn Speaker + 'a> {
        match self.speech.take() {
            Some(speech) => Box::new(speech),
            None => Box::new(Plain),
        }
    }
}

/// What a chat's answer has to look like.
struct Shape {
    grammar: Option<Grammar>,
    /// The field of the request that asks for it.
    param: &'static str,
    has_room_for_thoughts: bool,
}

impl Shape {
    fn of(family: &Family, model: &GuestModel, task: &ChatTask) -> Result<Self, Failure> {
        let (calls, is_text) = (prompt::offers_functions(task), task.format == Format::Text);
        if let Some(grammar) = calls.then(|| calls::forced(family, &task.tools)).flatten() {
            if !is_text {
                let message = "response_format and a tool_choice that demands a call exclude each \
                               other";
                return Err(refuse("response_format", message));
            }
            return Ok(Self {
                grammar: Some(grammar),
                param: "tools",
                has_room_for_thoughts: false,
            });
        }
        if calls && is_text {
            let grammar = calls::strict(family, &task.tools, &model.control_tokens);
            return Ok(Self { grammar, param: "tools", has_room_for_thoughts: true });
        }
        let grammar = Grammar::of(&task.format);
        Ok(Self { grammar, param: "response_format", has_room_for_thoughts: is_text })
    }
}

/// A prompt that has the model fill the middle.
fn around(model: &GuestModel, prompt: &Input, suffix: &str) -> Result<String, Failure> {
    let Some([before, after, middle]) = &model.fill_tokens else {
        let message = "this model can't fill the middle of a text; leave suffix out";
        return Err(refuse("suffix", message));
    };
    let Some(prompt) = prompt.as_text() else {
        return Err(refuse("suffix", "suffix needs a prompt of text, not of tokens"));
    };
    let guard = Guard::new(&model.control_tokens);
    let [prompt, suffix] = [prompt, suffix].map(|text| guard.shield(text, Strictness::Spelled));
    Ok(format!("{before}{prompt}{after}{suffix}{middle}"))
}

fn refuse(param: &str, message: &str) -> Failure {
    Failure::new(ErrorCode::InvalidRequest, message).at(param)
}
