//! The compiler's own explanation of an error.

use std::path::Path;
use std::process::{Command, Stdio};

use super::text::shortened;

/// The longest explanation has about ten kilobytes.
const EXPLANATION_BYTES_MAX: usize = 64 << 10;

/// An error's number: `E` and four digits. Nothing else reaches the compiler's command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode(String);

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Lints and others have none.
    #[error("{0:?} is no error's number: an E and four digits, such as E0308")]
    NoCode(String),
    /// The toolchain does not know it.
    #[error("the compiler has no explanation of {0}")]
    Unknown(String),
    /// The compiler could not be started.
    #[error("the compiler could not be asked: {0}")]
    Compiler(#[from] std::io::Error),
}

impl ErrorCode {
    /// Checks a code.
    ///
    /// # Errors
    /// Refuses what is no error's number, lints among them.
    pub fn parse(text: &str) -> Result<Self, ExplainError> {
        let digits = text.strip_prefix('E').filter(|digits| digits.len() == 4);
        if digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(Self(text.to_owned()));
        }
        Err(ExplainError::NoCode(shortened(text.to_owned(), 20)))
    }

    /// As the compiler writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Asks a toolchain's `rustc`, and blocks for some milliseconds: nothing of a user's is run.
///
/// # Errors
/// Says that there is no explanation, or that the compiler could not be started.
pub fn explain(rustc: &Path, code: &ErrorCode) -> Result<String, ExplainError> {
    let output =
        Command::new(rustc).args(["--explain", code.as_str()]).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(ExplainError::Unknown(code.0.clone()));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(shortened(text, EXPLANATION_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_errors_reach_the_compiler() {
        for text in
            ["", "E", "E030", "E03080", "e0308", "--help", "E0x08", "unused_variables", "E０３０８"]
        {
            assert!(matches!(ErrorCode::parse(text), Err(ExplainError::NoCode(_))), "{text}");
        }
    }

    #[test]
    fn the_toolchain_explains() {
        let rustc = Path::new("rustc");
        let code = ErrorCode::parse("E0308").expect("a code");
        let text = explain(rustc, &code).expect("an explanation");
        assert!(text.contains("type"));
        let unknown = ErrorCode::parse("E9999").expect("a code");
        assert!(matches!(explain(rustc, &unknown), Err(ExplainError::Unknown(_))));
    }

    #[test]
    fn a_missing_compiler_is_said() {
        let code = ErrorCode::parse("E0308").expect("a code");
        let error = explain(Path::new("/nowhere/rustc"), &code);
        assert!(matches!(error, Err(ExplainError::Compiler(_))));
    }
}
