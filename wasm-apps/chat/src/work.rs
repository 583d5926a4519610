//! From a request to what the model shall do.

use gaia_app_sdk::{
    ChatTask, CompleteTask, ErrorCode, Failure, GenerateJob, GenerateOptions, Guard, GuestModel,
    GuestRequest, Input, Message, Strictness, Task,
};

use crate::{Conversation, Renderer, TemplateError};

/// A prompt and how to answer it.
#[derive(Clone, Debug, PartialEq)]
pub struct Work<'a> {
    /// What the model reads.
    pub prompt: String,
    options: GenerateOptions,
    stop: &'a [String],
    context_tokens: u32,
    param: &'static str,
}

impl<'a> Work<'a> {
    /// What a request asks for.
    ///
    /// # Errors
    /// A [`Failure`] that names the field of the request, to report as it is.
    pub fn new(request: &'a GuestRequest, renderer: &Renderer) -> Result<Self, Failure> {
        let model = &request.model;
        match &request.task {
            Task::Chat(task) => Self::chat(model, task, renderer),
            Task::Complete(task) => Self::complete(model, task),
            Task::Embed(_) => {
                let message = "this model generates text; it can't turn texts into vectors";
                Err(Failure::new(ErrorCode::InvalidRequest, message).at("model"))
            }
            Task::Tokenize(_) => {
                let message = "this app can't show tokens";
                Err(Failure::new(ErrorCode::InvalidRequest, message).at("model"))
            }
        }
    }

    /// The work as the sdk takes it.
    #[must_use]
    pub fn job(&self) -> GenerateJob<'_> {
        GenerateJob {
            prompt: &self.prompt,
            options: self.options.clone(),
            stop: self.stop,
            context_tokens: self.context_tokens,
            param: self.param,
        }
    }

    fn chat(model: &GuestModel, task: &'a ChatTask, renderer: &Renderer) -> Result<Self, Failure> {
        let options = GenerateOptions::new(&task.sampling, task.max_tokens);
        Ok(Self {
            prompt: chat_prompt(model, &task.messages, renderer)?,
            options: GenerateOptions { token_break: true, ..options },
            stop: &task.stop,
            context_tokens: model.context_tokens,
            param: "messages",
        })
    }

    /// The prompt of a completion is raw, as in llama-server: control tokens spelled in it are
    /// control tokens, so that a client can write the whole format itself.
    fn complete(model: &GuestModel, task: &'a CompleteTask) -> Result<Self, Failure> {
        if task.prompt.is_empty() && !model.adds_bos {
            return Err(Failure::new(ErrorCode::InvalidRequest, "prompt is empty").at("prompt"));
        }
        Ok(Self {
            prompt: text(&task.prompt)?.to_owned(),
            options: GenerateOptions::new(&task.sampling, task.max_tokens),
            stop: &task.stop,
            context_tokens: model.context_tokens,
            param: "prompt",
        })
    }
}

fn text(prompt: &Input) -> Result<&str, Failure> {
    let message = "prompt must be a text";
    prompt.as_text().ok_or_else(|| Failure::new(ErrorCode::InvalidRequest, message).at("prompt"))
}

fn chat_prompt(
    model: &GuestModel,
    messages: &[Message],
    renderer: &Renderer,
) -> Result<String, Failure> {
    if messages.is_empty() {
        return Err(Failure::new(ErrorCode::InvalidRequest, "messages is empty").at("messages"));
    }
    let Some(template) = &model.chat_template else {
        let message = format!(
            "model {:?} has no chat template: it can't chat; use /v1/completions or a model with one",
            model.name
        );
        return Err(Failure::new(ErrorCode::InvalidRequest, message).at("model"));
    };
    let prompt = shielded_prompt(template, model, messages, renderer)
        .map_err(|error| Failure::new(ErrorCode::Template, error.to_string()).at("messages"))?;
    // The tokenizer adds the token that most templates write too; the model shall see one.
    match prompt.strip_prefix(&model.bos_token) {
        Some(rest) if model.adds_bos => Ok(rest.to_owned()),
        _ => Ok(prompt),
    }
}

/// Renders with all control tokens in the messages broken.
///
/// A template may cut something out of a message and so join two halves of a control token. That
/// shows when the same template is given text in which no control token can begin: the prompt then
/// holds fewer of them, and is the one to use.
fn shielded_prompt(
    template: &str,
    model: &GuestModel,
    messages: &[Message],
    renderer: &Renderer,
) -> Result<String, TemplateError> {
    let guard = Guard::new(&model.control_tokens);
    let render = |messages: &[Message]| {
        let GuestModel { bos_token, eos_token, .. } = model;
        renderer.render(template, Conversation { messages, bos_token, eos_token })
    };
    let shielded = shield(messages, &guard, Strictness::Spelled);
    let strict = shield(messages, &guard, Strictness::EveryStart);
    let prompt = render(&shielded)?;
    if strict == shielded {
        return Ok(prompt);
    }
    let strict_prompt = render(&strict)?;
    let is_safe = guard.count(&prompt) == guard.count(&strict_prompt);
    Ok(if is_safe { prompt } else { strict_prompt })
}

fn shield(messages: &[Message], guard: &Guard<'_>, strictness: Strictness) -> Vec<Message> {
    let shield = |message: &Message| Message {
        role: message.role,
        content: guard.shield(&message.content, strictness),
        ..message.clone()
    };
    messages.iter().map(shield).collect()
}
