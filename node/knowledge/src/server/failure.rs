//! What a server's refusals mean here.

use std::error::Error;

use gaia_core::KnowledgeError;
use tonic::{Code, Status};

/// Characters of the server's own words that are passed on.
const WORDS_MAX: usize = 300;

/// Qdrant's mark that its disk is full, where gRPC has no code for that.
const FULL_KEY: &str = "qdrant-insufficient-storage";

/// How a full disk is told.
pub(super) const NO_SPACE: &str = "no space left";

/// A request that failed: gRPC's name for the reason, and the server's own words, shortened.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Failure {
    /// Why.
    pub code: Code,
    /// In the server's words.
    pub message: String,
}

impl Failure {
    pub(super) fn new(code: Code, message: &str) -> Self {
        Self { code, message: shorten(message) }
    }

    /// No answer came in time.
    pub(super) fn late() -> Self {
        Self::new(Code::DeadlineExceeded, "no answer came in time")
    }

    /// The answer is not what the protocol promises.
    pub(super) fn broken(what: &str) -> Self {
        Self::new(Code::DataLoss, &format!("its answer can't be used: {what}"))
    }

    /// Whether the collection that was named is not there.
    pub(super) fn is_unknown(&self) -> bool {
        self.code == Code::NotFound
    }

    /// Whether the server may answer when it is asked again.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::DeadlineExceeded | Code::Aborted)
            || self.says("transport error")
            || self.says("h2 protocol error")
    }

    /// Whether what was known of the collection may be no longer so.
    pub(super) fn may_be_stale(&self) -> bool {
        matches!(self.code, Code::NotFound | Code::InvalidArgument)
    }

    /// Whether a collection or an alias of that name is there already.
    pub(super) fn is_existing(&self) -> bool {
        self.code == Code::AlreadyExists || self.says("already exists")
    }

    fn says(&self, words: &str) -> bool {
        self.message.to_lowercase().contains(words)
    }
}

/// The API key, which a server may repeat in its words, but nobody else may.
#[derive(Clone, Default)]
pub(super) struct Secret(Option<String>);

impl Secret {
    pub(super) fn new(key: Option<&str>) -> Self {
        Self(key.filter(|key| !key.is_empty()).map(str::to_owned))
    }

    /// A text without the key.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0.as_ref().map_or(text.to_owned(), |key| text.replace(key, "[key]"))
    }

    /// What a server's refusal says.
    pub(super) fn failure(&self, status: &Status) -> Failure {
        let mut message = status.message().to_owned();
        let mut source = status.source();
        while let Some(cause) = source {
            message = format!("{message}: {cause}");
            source = cause.source();
        }
        if status.metadata().contains_key(FULL_KEY) {
            message = format!("{NO_SPACE}: {message}");
        }
        Failure::new(status.code(), &self.hide(&message))
    }
}

impl From<Failure> for KnowledgeError {
    fn from(failure: Failure) -> Self {
        let message = &failure.message;
        match failure.code {
            _ if failure.says(NO_SPACE) || failure.says("not enough space") => Self::DiskFull,
            Code::ResourceExhausted => Self::Overloaded,
            Code::Unauthenticated | Code::PermissionDenied => Self::unavailable(format!(
                "the Qdrant server refuses the API key ({message}): give one that may read and write \
                 as `api_key`"
            )),
            Code::InvalidArgument | Code::AlreadyExists | Code::FailedPrecondition => {
                Self::invalid(format!("the Qdrant server refuses that: {message}"))
            }
            Code::DeadlineExceeded => Self::unavailable(
                "the Qdrant server took too long: look at its load, or raise the time limit",
            ),
            Code::OutOfRange => Self::unavailable(format!(
                "the Qdrant server's answer is too large ({message}): ask for fewer points"
            )),
            _ => Self::unavailable(format!("the Qdrant server says: {message}")),
        }
    }
}

/// One line of at most [`WORDS_MAX`] characters.
pub(super) fn shorten(text: &str) -> String {
    let line = text.split(|c: char| c.is_control() || c.is_whitespace());
    let line = line.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: Code, message: &str) -> KnowledgeError {
        Secret::default().failure(&Status::new(code, message)).into()
    }

    #[test]
    fn each_refusal_has_its_name() {
        assert_eq!(error(Code::ResourceExhausted, "x"), KnowledgeError::Overloaded);
        assert_eq!(error(Code::Internal, "IO: No space left on device"), KnowledgeError::DiskFull);
        let mut full = Status::resource_exhausted("quota");
        full.metadata_mut().insert(FULL_KEY, tonic::metadata::MetadataValue::from_static("1"));
        let full = Secret::default().failure(&full);
        assert_eq!(KnowledgeError::from(full), KnowledgeError::DiskFull);
        assert!(matches!(error(Code::InvalidArgument, "x"), KnowledgeError::Invalid { .. }));
        let denied = error(Code::Unauthenticated, "bad").to_string();
        assert!(denied.contains("api_key"), "{denied}");
        assert!(matches!(error(Code::Unknown, "x"), KnowledgeError::Unavailable { .. }));
    }

    #[test]
    fn a_key_that_the_server_repeats_is_hidden() {
        let secret = Secret::new(Some("abc"));
        let failure = secret.failure(&Status::unauthenticated("the key abc is wrong"));
        assert_eq!(failure.message, "the key [key] is wrong");
        assert_eq!(Secret::new(Some("")).hide("text"), "text");
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let long = shorten(&"ä\n\u{7}".repeat(1000));
        assert_eq!(long.chars().count(), WORDS_MAX + 1);
        assert!(!long.contains('\n'));
        assert_eq!(shorten(" a\tb "), "a b");
    }
}
