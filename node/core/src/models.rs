//! The models that the node serves, and the choice among them.

use std::sync::Arc;

use gaia_protocol::ModelKind;

use crate::{Admission, Model, ModelStatus, ServeError};

/// What the use cases work with.
#[derive(Clone)]
pub struct Node {
    /// The models.
    pub models: Models,
    /// How many requests may be in the node.
    pub admission: Admission,
}

/// All models, in the order of the config. Clones share them.
#[derive(Clone)]
pub struct Models {
    list: Arc<[Arc<dyn Model>]>,
}

impl Models {
    /// The models of a node; their names differ.
    #[must_use]
    pub fn new(list: Vec<Arc<dyn Model>>) -> Self {
        Self { list: list.into() }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[Arc<dyn Model>] {
        &self.list
    }

    /// Whether every model serves.
    #[must_use]
    pub fn are_ready(&self) -> bool {
        self.list.iter().all(|model| matches!(model.status(), ModelStatus::Ready(_)))
    }

    /// The model of that name.
    ///
    /// # Errors
    /// [`ServeError::UnknownModel`], with the names there are.
    pub fn find(&self, name: &str) -> Result<&Arc<dyn Model>, ServeError> {
        let found = self.list.iter().find(|model| model.name() == name);
        found.ok_or_else(|| ServeError::UnknownModel {
            name: name.to_owned(),
            known: self.list.iter().map(|model| model.name().to_owned()).collect(),
        })
    }

    /// The model for a request: the named one, or without a name the only one of its kind.
    ///
    /// # Errors
    /// [`ServeError::UnknownModel`], [`ServeError::WrongKind`], or [`ServeError::Invalid`] where the
    /// name is missing and not obvious.
    pub fn choose(
        &self,
        name: Option<&str>,
        kind: ModelKind,
    ) -> Result<&Arc<dyn Model>, ServeError> {
        let Some(name) = name else { return self.only(kind) };
        let model = self.find(name)?;
        if model.kind() == kind {
            return Ok(model);
        }
        let (does, needed) = (purpose(model.kind()), purpose(kind));
        Err(ServeError::WrongKind { name: name.to_owned(), does, needed })
    }

    /// The model for a request that any kind can serve: the named one, or without a name the only
    /// one.
    ///
    /// # Errors
    /// [`ServeError::UnknownModel`], or [`ServeError::Invalid`] where the name is missing.
    pub fn choose_any(&self, name: Option<&str>) -> Result<&Arc<dyn Model>, ServeError> {
        match (name, &*self.list) {
            (Some(name), _) => self.find(name),
            (None, [only]) => Ok(only),
            (None, list) => {
                let names: Vec<_> = list.iter().map(|model| model.name()).collect();
                Err(missing(format!("name one of: {}", names.join(", "))))
            }
        }
    }

    fn only(&self, kind: ModelKind) -> Result<&Arc<dyn Model>, ServeError> {
        let mut of_kind = self.list.iter().filter(|model| model.kind() == kind);
        match (of_kind.next(), of_kind.next()) {
            (Some(model), None) => Ok(model),
            (None, _) => Err(missing(format!("this node serves no model that {}", purpose(kind)))),
            (Some(_), Some(_)) => {
                Err(missing(format!("name one of: {}", self.names(kind).join(", "))))
            }
        }
    }

    fn names(&self, kind: ModelKind) -> Vec<&str> {
        let of_kind = self.list.iter().filter(|model| model.kind() == kind);
        of_kind.map(|model| model.name()).collect()
    }
}

fn missing(message: String) -> ServeError {
    ServeError::Invalid {
        message: format!("model is missing: {message}"),
        param: Some("model".into()),
    }
}

fn purpose(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Chat => "generates text",
        ModelKind::Embedding => "turns text into vectors",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakeModel;

    fn models(list: &[(&str, ModelKind)]) -> Models {
        let model = |(name, kind): &(&str, ModelKind)| {
            Arc::new(FakeModel::new(name, *kind)) as Arc<dyn Model>
        };
        Models::new(list.iter().map(model).collect())
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_names_there_are() {
        let models = models(&[("a", ModelKind::Chat), ("b", ModelKind::Embedding)]);
        let error = models.choose(Some("c"), ModelKind::Chat).err().expect("refused");
        assert_eq!(error.to_string(), "the model `c` does not exist; this node serves: a, b");
    }

    #[test]
    fn a_model_of_the_other_kind_is_refused() {
        let models = models(&[("a", ModelKind::Chat)]);
        let error = models.choose(Some("a"), ModelKind::Embedding).err().expect("refused");
        assert!(matches!(error, ServeError::WrongKind { .. }));
    }

    #[test]
    fn a_missing_name_means_the_only_model_of_the_kind_or_is_refused() {
        let one = models(&[("a", ModelKind::Chat), ("b", ModelKind::Embedding)]);
        assert_eq!(one.choose(None, ModelKind::Embedding).expect("the only one").name(), "b");
        let two = models(&[("a", ModelKind::Chat), ("c", ModelKind::Chat)]);
        let error = two.choose(None, ModelKind::Chat).err().expect("refused");
        assert_eq!(error.to_string(), "model is missing: name one of: a, c");
        assert!(two.choose(None, ModelKind::Embedding).is_err());
    }
}
