//! A small app with a model: sums up the last message in one line.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use gaia_app_sdk::{
    ChatTask, ErrorCode, Failure, GenerateJob, GenerateOptions, Guard, GuestModel, Model, Plain,
    Strictness, Task, generate, serve,
};

fn main() -> ExitCode {
    // Set-up that every request needs goes here: the node runs it before a request is there.
    let stop = ["\n".to_owned()];
    serve(|request, events| {
        let Task::Chat(chat) = &request.task else {
            return Err(Failure::new(ErrorCode::InvalidRequest, "tldr takes chats only"));
        };
        let prompt = prompt(&request.model, chat)?;
        let options = GenerateOptions::new(&chat.sampling, chat.max_tokens.or(Some(80)));
        let job = GenerateJob {
            prompt: &prompt.into(),
            echo: None,
            options: GenerateOptions { token_break: true, ..options },
            stop: &stop,
            context_tokens: request.model.context_tokens,
            param: "messages",
            grammar_param: "response_format",
        };
        let mut session = Model::load(&request.model.name)?.session()?;
        generate(&mut session, &job, &mut Plain, events)
    })
}

fn prompt(model: &GuestModel, chat: &ChatTask) -> Result<String, Failure> {
    let text = chat.messages.last().map_or("", |last| last.content.trim());
    if text.is_empty() {
        let message = "there is nothing to sum up: the last message is empty";
        return Err(Failure::new(ErrorCode::InvalidRequest, message).at("messages"));
    }
    // What a client writes is text: it must not end the prompt or start a turn of its own.
    let text = Guard::new(&model.control_tokens).shield(text, Strictness::Spelled);
    Ok(format!("Text:\n{text}\n\nThe text in one short sentence:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_sum_up_is_refused() {
        let failure = prompt(&GuestModel::default(), &ChatTask::default()).expect_err("refused");
        assert_eq!(failure.param.as_deref(), Some("messages"));
    }
}
