//! The models of a node, by name.

use std::sync::Arc;

use gaia_protocol::ModelKind;

use crate::{Model, ServeError};

/// All models of a node, in the order of its configuration.
pub struct Registry {
    models: Vec<Arc<dyn Model>>,
}

impl Registry {
    /// A registry of `models`, whose names differ.
    #[must_use]
    pub fn new(models: Vec<Arc<dyn Model>>) -> Self {
        Self { models }
    }

    /// All models.
    #[must_use]
    pub fn models(&self) -> &[Arc<dyn Model>] {
        &self.models
    }

    /// The model called `name`.
    ///
    /// # Errors
    /// [`ServeError::UnknownModel`], with the names there are.
    pub fn by_name(&self, name: &str) -> Result<&Arc<dyn Model>, ServeError> {
        let found = self.models.iter().find(|model| model.name() == name);
        found.ok_or_else(|| ServeError::UnknownModel { name: name.to_owned(), known: self.names() })
    }

    /// The model called `name`, if it is of that kind; without a name, the only one of that kind.
    ///
    /// # Errors
    /// [`ServeError::UnknownModel`], [`ServeError::WrongKind`], or [`ServeError::Invalid`] if a
    /// name is needed and missing.
    pub fn choose(
        &self,
        name: Option<&str>,
        kind: ModelKind,
    ) -> Result<&Arc<dyn Model>, ServeError> {
        let Some(name) = name else { return self.only(kind) };
        let model = self.by_name(name)?;
        if model.kind() == kind {
            return Ok(model);
        }
        let name = name.to_owned();
        Err(ServeError::WrongKind { name, does: does(model.kind()), needed: does(kind) })
    }

    fn only(&self, kind: ModelKind) -> Result<&Arc<dyn Model>, ServeError> {
        let mut fitting = self.models.iter().filter(|model| model.kind() == kind);
        match (fitting.next(), fitting.next()) {
            (Some(model), None) => Ok(model),
            (None, _) => Err(name_needed(format!("no model of this node {}", does(kind)))),
            (Some(_), Some(_)) => {
                let names = self.names().join(", ");
                Err(name_needed(format!("`model` is missing; this node serves: {names}")))
            }
        }
    }

    fn names(&self) -> Vec<String> {
        self.models.iter().map(|model| model.name().to_owned()).collect()
    }
}

fn does(kind: ModelKind) -> &'static str {
    match kind {
        ModelKind::Chat => "generates text",
        ModelKind::Embedding => "turns text into vectors",
    }
}

fn name_needed(message: String) -> ServeError {
    ServeError::Invalid { message, param: Some("model".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FakeModel;

    fn registry(models: &[(&str, ModelKind)]) -> Registry {
        let fake = |(name, kind): &(&str, ModelKind)| -> Arc<dyn Model> {
            Arc::new(FakeModel::new(name, *kind))
        };
        Registry::new(models.iter().map(fake).collect())
    }

    fn refusal(registry: &Registry, name: Option<&str>, kind: ModelKind) -> ServeError {
        registry.choose(name, kind).err().expect("refused")
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_names_there_are() {
        let registry = registry(&[("a", ModelKind::Chat), ("b", ModelKind::Embedding)]);
        let error = refusal(&registry, Some("c"), ModelKind::Chat);
        assert!(error.to_string().ends_with("this node serves: a, b"), "{error}");
    }

    #[test]
    fn a_model_of_another_kind_is_refused() {
        let registry = registry(&[("a", ModelKind::Chat)]);
        let error = refusal(&registry, Some("a"), ModelKind::Embedding);
        let said = "the model `a` generates text; choose one that turns text into vectors";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn a_name_may_be_left_out_where_there_is_no_choice() {
        let one = registry(&[("a", ModelKind::Chat), ("b", ModelKind::Embedding)]);
        assert_eq!(one.choose(None, ModelKind::Chat).expect("only one").name(), "a");
        let two = registry(&[("a", ModelKind::Chat), ("b", ModelKind::Chat)]);
        assert!(refusal(&two, None, ModelKind::Chat).to_string().ends_with("a, b"));
        let none = refusal(&two, None, ModelKind::Embedding);
        assert_eq!(none.to_string(), "no model of this node turns text into vectors");
    }
}
