//! Serves chat and text completion with a GGML model.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use gaia_app_chat::{Renderer, Work};
use gaia_app_sdk::{Model, generate, serve};

fn main() -> ExitCode {
    let renderer = Renderer::default();
    serve(|request, events| {
        let work = Work::new(&request, &renderer)?;
        let mut session = Model::load(&request.model.name)?.session()?;
        generate(&mut session, &work.job(), events)
    })
}
