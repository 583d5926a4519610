//! cargo's messages as they are written; only what is used.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub(super) enum Message {
    CompilerMessage(CompilerMessage),
    CompilerArtifact(CompilerArtifact),
    BuildFinished {
        success: bool,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
pub(super) struct CompilerMessage {
    pub package_id: String,
    pub target: Target,
    pub message: Diagnostic,
}

#[derive(Deserialize)]
pub(super) struct CompilerArtifact {
    pub package_id: String,
    pub target: Target,
    #[serde(default)]
    pub profile: Profile,
    pub filenames: Vec<String>,
    pub executable: Option<String>,
    pub fresh: bool,
}

#[derive(Deserialize)]
pub(super) struct Target {
    pub name: String,
    #[serde(default)]
    pub kind: Vec<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct Profile {
    #[serde(default)]
    pub test: bool,
}

#[derive(Deserialize)]
pub(super) struct Diagnostic {
    pub message: String,
    pub code: Option<Code>,
    pub level: String,
    #[serde(default)]
    pub spans: Vec<Span>,
    #[serde(default)]
    pub children: Vec<Diagnostic>,
    pub rendered: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Code {
    pub code: String,
}

#[derive(Deserialize)]
pub(super) struct Span {
    pub file_name: String,
    pub byte_start: u32,
    pub byte_end: u32,
    pub line_start: u32,
    pub line_end: u32,
    pub column_start: u32,
    pub column_end: u32,
    pub is_primary: bool,
    pub label: Option<String>,
    pub suggested_replacement: Option<String>,
    pub suggestion_applicability: Option<String>,
    pub expansion: Option<Expansion>,
}

#[derive(Deserialize)]
pub(super) struct Expansion {
    pub macro_decl_name: String,
}
