//! Prompts for people who learn Rust: each tells the model which of the tools to use, and how.

use rmcp::model::{
    ErrorData, GetPromptResult, JsonObject, Prompt, PromptArgument, PromptMessage, Role,
};
use serde_json::Value;

use super::tools::Tools;

/// Bytes of an argument at most: it is put into the conversation as it is.
const ARGUMENT_BYTES_MAX: usize = 256 << 10;

struct Template {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    /// Names, what each is, and whether it must be given.
    arguments: &'static [(&'static str, &'static str, bool)],
    /// What the model is told to do, before the arguments.
    text: &'static str,
}

const TEMPLATES: [Template; 3] = [
    Template {
        name: "explain_my_error",
        title: "Explain my error",
        description: "Why the compiler refuses my code, and how I would find out myself",
        arguments: &[
            ("code", "The code that does not compile", true),
            ("error", "What the compiler said, if you have it", false),
        ],
        text: "I am learning Rust and my code does not compile. Compile it with the tool `compile`, and \
               look the first error up with `explain_error`. Then explain in plain words which rule I \
               broke and why Rust has it, show the smallest change that repairs it, and compile that \
               before you show it. Change nothing else.",
    },
    Template {
        name: "review_rust",
        title: "Review my Rust",
        description: "What could be better in code that works",
        arguments: &[("code", "The code to review", true)],
        text: "Review this Rust code for someone who learns. Run `compile` with command=clippy first, and \
               with command=test if it has tests. Name at most five points, the most important first: \
               what is wrong or unidiomatic, why, and the better lines. Look up what you are not sure \
               of with `search_knowledge`, and compile every change that you propose.",
    },
    Template {
        name: "teach_concept",
        title: "Teach me a concept",
        description: "An idea of Rust, explained with programs that run",
        arguments: &[
            ("concept", "Such as ownership, lifetimes, traits or async", true),
            ("level", "What I know already", false),
        ],
        text: "Teach me this concept of Rust. Search for it with `search_knowledge` and cite what you use. \
               Give one small program that works, run it with `run` and show its output; then one that \
               breaks the rule, and what `compile` says to it. End with an exercise.",
    },
];

/// All of them.
pub fn list() -> Vec<Prompt> {
    TEMPLATES.iter().map(prompt).collect()
}

fn prompt(template: &Template) -> Prompt {
    let argument = |&(name, description, required): &(&str, &str, bool)| {
        PromptArgument::new(name).with_description(description).with_required(required)
    };
    let arguments = template.arguments.iter().map(argument).collect();
    Prompt::new(template.name, Some(template.description), Some(arguments))
        .with_title(template.title)
}

/// One with its arguments, for a node with these tools.
///
/// # Errors
/// There is none of that name, or an argument is missing, unknown or no text.
pub fn get(name: &str, given: &JsonObject, tools: &Tools) -> Result<GetPromptResult, ErrorData> {
    let template = TEMPLATES.iter().find(|template| template.name == name);
    let template = template.ok_or_else(|| {
        let names = TEMPLATES.map(|template| template.name).join(", ");
        invalid(format!("there is no such prompt; the prompts are: {names}"))
    })?;
    check(template, given)?;
    let mut text = template.text.to_owned();
    if tools.get("compile").is_none() {
        text += "\n\nThis node has no compiler: do without the tools that you do not have.";
    }
    for (name, _, _) in template.arguments {
        if let Some(value) = given.get(*name).and_then(Value::as_str) {
            text += &format!("\n\n{name}:\n{value}");
        }
    }
    let message = PromptMessage::new_text(Role::User, text);
    Ok(GetPromptResult::new(vec![message]).with_description(template.description))
}

fn check(template: &Template, given: &JsonObject) -> Result<(), ErrorData> {
    for (name, value) in given {
        if !template.arguments.iter().any(|(known, _, _)| known == name) {
            return Err(invalid(format!(
                "argument `{name}`: {} has none of that name",
                template.name
            )));
        }
        let length = value.as_str().map(str::len);
        if length.is_none_or(|bytes| bytes > ARGUMENT_BYTES_MAX) {
            let most = ARGUMENT_BYTES_MAX;
            return Err(invalid(format!(
                "argument `{name}`: must be a text of at most {most} bytes"
            )));
        }
    }
    let missing =
        |(name, _, required): &&(&str, &str, bool)| *required && !given.contains_key(*name);
    match template.arguments.iter().find(missing) {
        Some((name, _, _)) => Err(invalid(format!("argument `{name}` is missing"))),
        None => Ok(()),
    }
}

fn invalid(message: String) -> ErrorData {
    ErrorData::invalid_params(message, None)
}
