//! How each family of models thinks and calls functions. One file each; a new family is a new file
//! and a line in [`ALL`].

mod deepseek;
mod generic;
mod harmony;
mod hermes;
mod llama;
mod mistral;

pub use generic::GENERIC;

/// What a mark in a model's text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Thoughts follow.
    Think,
    /// The answer follows.
    Speak,
    /// Nothing; it is passed over.
    Nothing,
    /// A function call follows.
    Call {
        /// What ends it.
        close: Option<&'static str>,
    },
}

/// A family of models.
#[derive(Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Whether a chat template is one of this family's.
    pub is_of: fn(template: &str) -> bool,
    /// Marks in the text and their meanings.
    pub marks: &'static [(&'static str, Meaning)],
    /// An answer that begins with an object is a call.
    pub bare_calls: bool,
    /// Behind a call another one may follow without a mark.
    pub lists_calls: bool,
    /// What stands around a call: before the name, between name and arguments, and at the end. For
    /// answers that are made to call.
    pub call_form: [&'static str; 3],
}

impl Family {
    /// Whether its models think aloud.
    #[must_use]
    pub fn thinks(&self) -> bool {
        self.marks.iter().any(|(_, meaning)| *meaning == Meaning::Think)
    }
}

/// In the order in which they are tried: from the most particular mark to the least.
const ALL: &[&Family] =
    &[&harmony::HARMONY, &deepseek::DEEPSEEK, &mistral::MISTRAL, &llama::LLAMA, &hermes::HERMES];

/// The family of a chat template.
#[must_use]
pub fn of(template: &str) -> &'static Family {
    ALL.iter().copied().find(|family| (family.is_of)(template)).unwrap_or(&GENERIC)
}

/// The family of a template that knows no functions, where its model is told of them in the words of
/// Hermes.
#[must_use]
pub fn told(template: &str) -> &'static Family {
    let family = of(template);
    let thinks_as_hermes = family.marks.contains(&("<think>", Meaning::Think));
    match family.thinks() {
        true if thinks_as_hermes => &hermes::HERMES,
        true => family,
        false => &GENERIC,
    }
}

const HERMES_FORM: [&str; 3] =
    ["<tool_call>\n{\"name\": \"", "\", \"arguments\": ", "}\n</tool_call>"];
