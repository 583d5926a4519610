//! What a request for an explanation says.

use gaia_core::build::Files;
use gaia_core::coder::{Asked, Explain, Subject};
use gaia_sandbox::project::Project;
use serde_json::Value;

use crate::http::error::ApiError;
use crate::http::fields::{Fields, must_be};
use crate::http::routes::compile::source::Source;

/// Bytes of a question, and of what the compiler said.
const QUESTION_BYTES_MAX: usize = 4 << 10;
const SAID_BYTES_MAX: usize = 64 << 10;

const COLLECTIONS_MAX: usize = 16;

/// A valid request.
pub struct Parsed {
    /// What is asked.
    pub explain: Explain,
    /// Whether the answer is streamed.
    pub stream: bool,
}

/// Checks every field.
///
/// # Errors
/// A field that makes no sense, by name; a project that is refused.
pub async fn parse(mut fields: Fields) -> Result<Parsed, ApiError> {
    let source = Source::take_packed(&mut fields)?;
    let said = take_said(&mut fields)?;
    let explain = Explain {
        subject: Subject::None,
        question: take_text(&mut fields, "question", QUESTION_BYTES_MAX)?,
        collections: take_collections(&mut fields)?,
        model: fields.string("model")?,
        without_model: fields.flag("without_model")?,
        tokens: fields.count("max_tokens")?,
    };
    let stream = fields.flag("stream")?;
    fields.finish(&[])?;
    let subject = match (source, said) {
        (Some(_), Some(_)) => {
            let message = "send either `code` or a project, in `files` or `archive`";
            return Err(ApiError::invalid("code", message));
        }
        (Some(source), None) => Subject::Project(texts(&project(source).await?)),
        (None, Some(asked)) => subject(asked).await?,
        (None, None) => Subject::None,
    };
    Ok(Parsed { explain: Explain { subject, ..explain }, stream })
}

/// A number, a text, or one of the compiler's messages as JSON.
fn take_said(fields: &mut Fields) -> Result<Option<Asked>, ApiError> {
    let wrong = || {
        let what = "an error's number, what the compiler printed, a source file, or one of its \
                    messages as an object";
        must_be("code", &format!("{what}, of at most {SAID_BYTES_MAX} bytes"))
    };
    let asked = match fields.take("code") {
        None => return Ok(None),
        Some(Value::String(text)) if is_code(&text) => {
            Asked { code: Some(text), text: String::new() }
        }
        Some(Value::String(text)) => Asked { code: None, text },
        Some(Value::Object(message)) => of_message(&message).ok_or_else(wrong)?,
        Some(_) => return Err(wrong()),
    };
    if asked.text.len() > SAID_BYTES_MAX {
        return Err(wrong());
    }
    Ok(Some(asked))
}

/// A message as `rustc --error-format json`, cargo or this node writes it.
fn of_message(outer: &serde_json::Map<String, Value>) -> Option<Asked> {
    let message = outer.get("message").and_then(Value::as_object).unwrap_or(outer);
    let text = |name: &str| message.get(name).and_then(Value::as_str);
    let code = message.get("code");
    let code = code.and_then(|code| code.as_str().or_else(|| code.get("code")?.as_str()));
    let said = text("rendered").or(text("message"))?;
    Some(Asked {
        code: code.filter(|code| is_code(code)).map(str::to_owned),
        text: said.to_owned(),
    })
}

/// An `E` and four digits.
fn is_code(text: &str) -> bool {
    let digits = text.strip_prefix('E').filter(|digits| digits.len() == 4);
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Text with files in it, or with code and no message, is a project.
async fn subject(asked: Asked) -> Result<Subject, ApiError> {
    let is_code = asked.text.contains("[filename:") || is_source(&asked.text);
    if asked.code.is_some() || !is_code {
        return Ok(Subject::Said(asked));
    }
    let source = Source::Code(asked.text, gaia_sandbox::project::Edition::default());
    Ok(Subject::Project(texts(&project(source).await?)))
}

/// Whether a text is code: it begins like an item, and no line like a message.
fn is_source(text: &str) -> bool {
    const ITEMS: [&str; 11] = [
        "fn ", "pub ", "use ", "struct ", "enum ", "impl", "mod ", "trait ", "const ", "static ",
        "#",
    ];
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let says = |line: &str| line.starts_with("error") || line.starts_with("warning");
    let code = lines().find(|line| !line.starts_with("//"));
    code.is_some_and(|line| ITEMS.iter().any(|item| line.starts_with(item))) && !lines().any(says)
}

async fn project(source: Source) -> Result<Project, ApiError> {
    let project = source.read().await?;
    project.map_err(|error| ApiError::invalid("files", error.to_string()).with_code("refused"))
}

fn texts(project: &Project) -> Files {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    project.files().filter_map(|(path, bytes)| Some((path.to_string(), text(bytes)?))).collect()
}

fn take_text(fields: &mut Fields, name: &str, max: usize) -> Result<Option<String>, ApiError> {
    let text = fields.string(name)?;
    if text.as_ref().is_some_and(|text| text.len() > max) {
        return Err(must_be(name, &format!("a string of at most {max} bytes")));
    }
    Ok(text)
}

fn take_collections(fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let wrong = || must_be("collections", &format!("a list of at most {COLLECTIONS_MAX} names"));
    let list = fields.list("collections")?.unwrap_or_default();
    if list.len() > COLLECTIONS_MAX {
        return Err(wrong());
    }
    let name = |value: Value| value.as_str().map(str::to_owned).ok_or_else(wrong);
    list.into_iter().map(name).collect()
}
