//! Serves chat and text completion with a GGML model.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use gaia_app_chat::{Renderer, Work};
use gaia_app_sdk::{Model, Task, generate, serve, tokenize};

fn main() -> ExitCode {
    let renderer = Renderer::default();
    serve(|request, events| {
        let card = &request.model;
        if let Task::Tokenize(task) = &request.task {
            return tokenize(&Model::load(&card.name)?, (card, task), events);
        }
        let mut work = Work::new(&request, &renderer)?;
        let mut speaker = work.speaker();
        generate(&mut Model::load(&card.name)?.session()?, &work.job(), speaker.as_mut(), events)
    })
}
