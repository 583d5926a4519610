//! What a guest is asked to do.

use serde::{Deserialize, Serialize};

use crate::GuestModel;

/// What `next_request` gives a guest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GuestRequest {
    /// The model that serves this request.
    pub model: GuestModel,
    /// The work.
    pub task: Task,
}

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Answer a conversation.
    Chat(ChatTask),
    /// Continue a text.
    Complete(CompleteTask),
    /// Turn texts into vectors.
    Embed(EmbedTask),
}

/// A conversation to answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChatTask {
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens to generate at most; `None`: until the context is full.
    pub max_tokens: Option<u32>,
    /// Strings that end the answer; they are not part of it.
    pub stop: Vec<String>,
}

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// A text to continue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompleteTask {
    /// The text.
    pub prompt: String,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens to generate at most; `None`: until the context is full.
    pub max_tokens: Option<u32>,
    /// Strings that end the answer; they are not part of it.
    pub stop: Vec<String>,
}

/// How the next token is chosen. `None` means the engine's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 is greedy; up to 2.
    pub temperature: Option<f32>,
    /// Nucleus size, above 0 and up to 1.
    pub top_p: Option<f32>,
    /// The same seed gives the same answer.
    pub seed: Option<u32>,
}

/// Texts to turn into vectors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedTask {
    /// The texts.
    pub inputs: Vec<String>,
}
