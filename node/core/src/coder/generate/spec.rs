//! What is to be made, and what came of it.

use gaia_protocol::ModelKind;
use serde::{Deserialize, Serialize};

use crate::coder::{Budget, Coder, CoderError, Repaired};
use crate::knowledge::Citation;

/// Bytes of a description, and of requirements.
const DESCRIPTION_BYTES_MAX: usize = 8 << 10;
const REQUIREMENTS_BYTES_MAX: usize = 16 << 10;

/// Characters of a project's name.
const NAME_CHARS_MAX: usize = 40;

/// What a project is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A program.
    #[default]
    Bin,
    /// A library.
    Lib,
    /// A program and its library, as two packages.
    Workspace,
}

/// What is to be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generate {
    /// What it is to do.
    pub description: String,
    /// What it must have or hold to.
    pub requirements: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Its package's name; without it, the first words of the description.
    pub name: Option<String>,
    /// Whether it is to have tests, and to pass them.
    pub tests: bool,
    /// The collections that are searched for examples; none: the Rust knowledge base, if it is there.
    pub collections: Vec<String>,
    /// The model that writes; none: the coder's.
    pub model: Option<String>,
    /// How much it may take, writing included.
    pub budget: Budget,
    /// Whether what helped on the way is remembered.
    pub learn: bool,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Its package's name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The passages that the model was shown.
    pub examples: Vec<Citation>,
    /// The project, whether it does what it should, and how it came to be. Without files, nothing of
    /// use was written.
    pub outcome: Repaired,
}

impl Generate {
    /// Whether it makes sense here; the name of the model that will write.
    ///
    /// # Errors
    /// As [`super::generate`], before anything is done.
    pub fn check(&self, coder: &Coder) -> Result<String, CoderError> {
        self.check_fields()?;
        let model = self.model.as_deref().or(coder.model.as_deref()).ok_or(CoderError::NoModel)?;
        Ok(coder.node.models.choose(Some(model), ModelKind::Chat)?.name().to_owned())
    }

    fn check_fields(&self) -> Result<(), CoderError> {
        let description = self.description.trim();
        if description.is_empty() || description.len() > DESCRIPTION_BYTES_MAX {
            let what = format!("must be a text of 1 to {DESCRIPTION_BYTES_MAX} bytes");
            return Err(invalid("description", &what));
        }
        if self.requirements.as_ref().is_some_and(|text| text.len() > REQUIREMENTS_BYTES_MAX) {
            let what = format!("must be a text of at most {REQUIREMENTS_BYTES_MAX} bytes");
            return Err(invalid("requirements", &what));
        }
        if self.name.as_ref().is_some_and(|name| !is_name(name)) {
            let what = format!(
                "must be 1 to {NAME_CHARS_MAX} letters a-z, digits, `-` and `_`, begin with a letter, \
                 and be no word of Rust's"
            );
            return Err(invalid("name", &what));
        }
        if self.budget.time.is_zero() || self.budget.tokens == 0 {
            return Err(invalid("budget", "must leave some time and some tokens"));
        }
        Ok(())
    }
}

fn invalid(param: &str, what: &str) -> CoderError {
    CoderError::Invalid { message: format!("`{param}` {what}"), param: Some(param.to_owned()) }
}

/// Names that cargo refuses, or that hide crates of Rust's own.
const TAKEN: [&str; 52] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "unsafe",
    "use",
    "virtual",
    "where",
    "while",
];

/// Whether cargo takes it as a package's name.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(is_plain)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !TAKEN.contains(&name)
}
