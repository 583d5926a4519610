//! What every API demands of the functions that a model may call.

use gaia_protocol::{Tool, ToolChoice};

use super::error::ApiError;
use super::fields::must_be;

/// Functions of one request.
pub const TOOLS_MAX: usize = 128;
const NAME_CHARS_MAX: usize = 64;

/// Refuses a name that can't be told from another or that a template could take for markup; `place` is
/// where the request has the function of that index.
pub fn check_names(list: &[Tool], place: impl Fn(usize) -> String) -> Result<(), ApiError> {
    for (index, tool) in list.iter().enumerate() {
        let param = format!("{}.name", place(index));
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
        if tool.name.len() > NAME_CHARS_MAX || !tool.name.chars().all(fits) {
            let what = format!("at most {NAME_CHARS_MAX} letters, digits, \"_\" and \"-\"");
            return Err(must_be(&param, &what));
        }
        if list[..index].iter().any(|other| other.name == tool.name) {
            let message = format!("`{param}` {:?} names another tool already", tool.name);
            return Err(ApiError::invalid(&param, message));
        }
    }
    Ok(())
}

/// Refuses to demand a call that can't be made.
pub fn check_choice(choice: ToolChoice, list: &[Tool]) -> Result<ToolChoice, ApiError> {
    let possible = match &choice {
        ToolChoice::Auto | ToolChoice::None => true,
        ToolChoice::Required => !list.is_empty(),
        ToolChoice::Named(name) => list.iter().any(|tool| tool.name == *name),
    };
    if possible {
        return Ok(choice);
    }
    let message = "`tool_choice` demands a tool that `tools` does not have";
    Err(ApiError::invalid("tool_choice", message))
}
