//! What can go wrong with a knowledge base.

/// Why a knowledge base could not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnowledgeError {
    /// The request makes no sense for that collection.
    #[error("{message}")]
    Invalid {
        /// What is wrong and what to do.
        message: String,
    },
    /// There is no collection of that name.
    #[error("the collection `{name}` does not exist; there are: {}", list(.known))]
    UnknownCollection {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// There is a collection of that name already.
    #[error(
        "the collection `{name}` exists already: choose another name or delete it first; an import \
         takes its place with `replace: true` (`gaia-node kb import --replace`)"
    )]
    CollectionExists {
        /// The name.
        name: String,
    },
    /// The collection is there, but its files are damaged or its disk fails.
    #[error(
        "the collection `{name}` can't be read: {reason}; restore a snapshot or import an export in \
         its place, or delete it; it is tried again from time to time, and at once by `optimize`"
    )]
    Broken {
        /// Its name.
        name: String,
        /// Why, for whoever asks: without the machine's paths.
        reason: String,
    },
    /// A snapshot or an export that can't be taken over.
    #[error("{message}")]
    Unreadable {
        /// What is wrong with the file and what to do.
        message: String,
    },
    /// Too much at once.
    #[error("the knowledge base has too many requests waiting: try again in a moment")]
    Overloaded,
    /// No room is left on the disk.
    #[error("the knowledge base's disk is full: free some space and try again")]
    DiskFull,
    /// A server is out of reach, or a disk fails.
    #[error("the knowledge base can't be used now: {message}")]
    Unavailable {
        /// What failed, for the operator.
        message: String,
    },
}

impl KnowledgeError {
    /// An [`KnowledgeError::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into() }
    }

    /// An [`KnowledgeError::Unavailable`].
    pub fn unavailable(message: impl ToString) -> Self {
        Self::Unavailable { message: message.to_string() }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none yet".to_owned() } else { names.join(", ") }
}
