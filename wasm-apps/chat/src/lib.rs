//! The app that serves chat and text completion with a GGML model.
//!
//! | part | duty |
//! |---|---|
//! | [`Work`] | a request to a prompt, or a refusal that names the field |
//! | [`Renderer`] | the model's own chat template, as Hugging Face's `apply_chat_template` renders it |
//! | [`Speech`] | the model's text to content, thoughts and function calls |
//! | [`families`] | how each family of models marks these |
//!
//! The rest is the sdk's: [`gaia_app_sdk::Guard`] keeps the text of messages text, and
//! [`gaia_app_sdk::generate`] goes from the prompt to the streamed answer.
//!
//! Invariants: in a conversation only the template writes control tokens. A raw completion is the
//! opposite: its prompt is the client's alone, and control tokens spelled in it are control tokens,
//! as in llama-server.

#![forbid(unsafe_code)]

mod calls;
mod clock;
pub mod families;
mod json;
mod prompt;
mod renderer;
mod speech;
mod work;

pub use renderer::{Conversation, Renderer, TemplateError};
pub use speech::Speech;
pub use work::Work;
