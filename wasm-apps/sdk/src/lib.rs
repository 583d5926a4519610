//! What the author of a Gaia app needs.
//!
//! An app is a WebAssembly command that one request at a time is handed to: the node starts a fresh
//! instance, the app does its set-up and calls [`next_request`], works, hands over [`Event`]s with
//! [`Events::emit`] and returns. [`serve`] is that frame; [`generate`] and [`embed`] are the two
//! usual things to do with a model inside it.
//!
//! | part | duty |
//! |---|---|
//! | [`serve`], [`next_request`], [`Events`] | the host: one request in, events out |
//! | [`Model`], [`Session`] | the model, through WASI-NN |
//! | [`generate`], [`Answer`], [`Utf8Assembler`], [`StopStrings`] | text, token by token |
//! | [`embed`] | vectors, many at once |
//! | [`Guard`] | no text of a client becomes a control token |
//! | [`testing`] | strict stand-ins for host and model, for native tests |
//!
//! Invariants: a delta holds whole characters; no text that could still become a stop string is
//! handed over; after [`Flow::Stop`] nothing is computed any more; a failure becomes exactly one
//! [`Event::Error`], which is the last event.
//!
//! Everything but the two host functions and WASI-NN itself also runs natively.

mod answer;
mod context;
mod embed;
mod events;
mod failure;
mod ffi;
mod generate;
mod guard;
mod model;
mod pieces;
mod rank;
mod serve;
mod speaker;
mod stop;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod tokenize;
mod utf8;
mod window;

pub use answer::Answer;
pub use context::{Context, Errno, Graph, Output, WasiNn};
pub use embed::{EmbedJob, embed};
pub use events::{Events, Flow, GaiaHost, HostError, Sink};
pub use failure::Failure;
pub use gaia_protocol::{
    Channel, ChatTask, CompleteTask, EmbedTask, ErrorCode, Event, FinishReason, Format, GuestModel,
    GuestRequest, Input, Message, PICTURE_MARK, PICTURE_OPTION, PairForm, PictureSpot, RankTask,
    Role, Sampling, TOKEN_BREAK, TOKEN_BREAK_OPTION, Task, TokenLogprob, TokenText, TokenizeTask,
    Tool, ToolCall, ToolChoice, Tools, Usage,
};
pub use generate::{GenerateJob, GenerateOptions, Grammar, generate};
pub use guard::{Guard, Strictness};
pub use model::{EndReason, Model, ModelError, Session, Step};
pub use rank::{RankJob, rank};
pub use serve::{next_request, serve};
pub use speaker::{Plain, Speaker, push_text};
pub use stop::StopStrings;
pub use tokenize::tokenize;
pub use utf8::Utf8Assembler;
