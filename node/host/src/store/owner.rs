//! Whose something is.

use serde::{Deserialize, Serialize};

/// The name of the API key that a request came with; none where the node asks for none. Keys of the
/// same name are one owner: so a key can be renewed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner {
    key: Option<String>,
}

impl Owner {
    /// Whoever asks with this key.
    #[must_use]
    pub fn of_key(name: &str) -> Self {
        Self { key: Some(name.to_owned()) }
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.key.as_deref()
    }
}
