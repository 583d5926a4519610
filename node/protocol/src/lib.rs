//! The messages between host, worker and guest.
//!
//! A request travels host → worker → guest and its events travel back. The JSON a guest reads and
//! writes is the JSON the host writes and reads: the worker passes it through unopened. Only the
//! [`frame`] around it belongs to the socket.
//!
//! Builds natively and for `wasm32-wasip1`; does no I/O.
#![forbid(unsafe_code)]

mod card;
mod config;
mod event;
pub mod frame;
mod outcome;
mod picture;
mod stats;
mod task;

pub use card::{Device, GuestModel, ModelCard, ModelKind, PairForm};
pub use config::{
    AppConfig, CacheType, FlashAttention, LoraConfig, ModelConfig, SplitMode, WorkerConfig,
};
pub use event::{Channel, ErrorCode, Event, FinishReason, TokenLogprob, TokenText, Usage};
pub use outcome::Outcome;
pub use picture::{PICTURE_MARK, PICTURE_OPTION, PICTURES_MAX, Picture, PictureSpot, PictureUrl};
pub use stats::WorkerStats;
pub use task::{
    ChatTask, CompleteTask, EmbedTask, Format, GuestRequest, Input, Message, RankTask, Role,
    Sampling, Task, TokenizeTask, Tool, ToolCall, ToolChoice, Tools,
};

/// The import module of the two app functions, `next_request` and `emit`.
pub const APP_MODULE: &str = "gaia_app";

/// Breaks a control token's spelling inside text that must stay text.
///
/// U+FDD0 is a Unicode noncharacter, "for internal use", so no real text holds it. A prompt is cut
/// at each one and the pieces are tokenized apart; the mark itself never reaches the model.
pub const TOKEN_BREAK: char = '\u{FDD0}';

/// The key in the GGML options JSON that turns [`TOKEN_BREAK`] on. The stock plugin ignores it.
pub const TOKEN_BREAK_OPTION: &str = "token-break";
