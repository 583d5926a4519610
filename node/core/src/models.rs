//! The models that the node serves, and the choice among them.

use std::sync::{Arc, PoisonError, RwLock};

use gaia_protocol::ModelKind;

use crate::{Admission, Knowledge, Model, ModelStatus, ServeError};

/// What the use cases work with.
#[derive(Clone)]
pub struct Node {
    /// The models.
    pub models: Models,
    /// How many requests may be in the node.
    pub admission: Admission,
    /// The knowledge bases, if it has any.
    pub knowledge: Option<Arc<dyn Knowledge>>,
}

impl Node {
    /// The knowledge bases.
    ///
    /// # Errors
    /// [`ServeError::Invalid`]: the node has none.
    pub fn knowledge(&self) -> Result<&dyn Knowledge, ServeError> {
        self.knowledge.as_deref().ok_or_else(|| ServeError::Invalid {
            message:
                "this node has no knowledge base: its config sets `[knowledge] enabled = false`"
                    .into(),
            param: None,
        })
    }
}

/// One model and all its names.
#[derive(Clone)]
pub struct Served {
    /// The model; its own name comes first.
    pub model: Arc<dyn Model>,
    /// The other names that requests may use.
    pub aliases: Vec<String>,
}

/// Two models would answer to one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} names another model already")]
pub struct NameTaken {
    /// The name.
    pub name: String,
}

/// All models, in the order in which they came. Clones share them. The list may change while the
/// node serves; whoever chose a model keeps it.
#[derive(Clone)]
pub struct Models {
    /// A change replaces the whole list: the lock is held for as long as it takes to copy a pointer.
    list: Arc<RwLock<Arc<[Served]>>>,
}

impl Models {
    /// The models of a node, without aliases; their names differ.
    #[must_use]
    pub fn new(list: Vec<Arc<dyn Model>>) -> Self {
        let served = list.into_iter().map(|model| Served { model, aliases: vec![] });
        Self { list: Arc::new(RwLock::new(served.collect())) }
    }

    /// All of them, as they are now.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<dyn Model>> {
        self.served().iter().map(|served| Arc::clone(&served.model)).collect()
    }

    /// All of them with their aliases, as they are now.
    #[must_use]
    pub fn served(&self) -> Arc<[Served]> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a model.
    ///
    /// # Errors
    /// One of its names is taken.
    pub fn insert(&self, new: Served) -> Result<(), NameTaken> {
        self.change(|list| {
            is_free(list, new.model.name())?;
            new.aliases.iter().try_for_each(|alias| is_free(list, alias))?;
            Ok(list.iter().cloned().chain([new]).collect())
        })
    }

    /// Gives a model other aliases; a model that is not here keeps none.
    ///
    /// # Errors
    /// One of them is taken by another model.
    pub fn set_aliases(&self, name: &str, aliases: Vec<String>) -> Result<(), NameTaken> {
        self.change(|list| {
            let others: Vec<_> = list.iter().filter(|s| s.model.name() != name).cloned().collect();
            aliases.iter().try_for_each(|alias| is_free(&others, alias))?;
            let mut list = list.to_vec();
            let served = list.iter_mut().find(|served| served.model.name() == name);
            served.into_iter().for_each(|served| served.aliases.clone_from(&aliases));
            Ok(list)
        })
    }

    /// Takes a model away; requests that chose it keep it.
    pub fn remove(&self, name: &str) {
        let without = |list: &[Served]| {
            Ok(list.iter().filter(|served| served.model.name() != name).cloned().collect())
        };
        self.change(without).expect("taking away takes no name");
    }

    /// Whether every model that the node must serve does. One that was unloaded is not waited for.
    #[must_use]
    pub fn are_ready(&self) -> bool {
        self.all().iter().all(|model| {
            !model.is_required()
                || matches!(model.status(), ModelStatus::Ready(_) | ModelStatus::Unloaded)
        })
    }

    /// The model of that name or alias.
    ///
    /// # Errors
    /// [`ServeError::UnknownModel`], with the names there are.
    pub fn find(&self, name: &str) -> Result<Arc<dyn Model>, ServeError> {
        let list = self.served();
        let found = list.iter().find(|served| served.answers_to(name));
        found.map(|served| Arc::clone(&served.model)).ok_or_else(|| ServeError::UnknownModel {
            name: name.to_owned(),
            known: list.iter().map(|served| served.model.name().to_owned()).collect(),
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
    ) -> Result<Arc<dyn Model>, ServeError> {
        let Some(name) = name else { return self.only(kind) };
        let model = self.find(name)?;
        if model.kind() == kind {
            return Ok(model);
        }
        let (does, needed) = (purpose(model.kind()), purpose(kind));
        Err(ServeError::WrongKind { name: name.to_owned(), does, needed })
    }

    /// The model that ranks: the named one, or without a name the only reranker. An embedding model can,
    /// too, and does where there is no reranker.
    ///
    /// # Errors
    /// As [`Models::choose`].
    pub fn choose_ranker(&self, name: Option<&str>) -> Result<Arc<dyn Model>, ServeError> {
        let kind = match name {
            Some(name) => self.find(name)?.kind(),
            None => self.all().iter().map(|model| model.kind()).fold(ModelKind::Embedding, ranker),
        };
        self.choose(name, if kind == ModelKind::Embedding { kind } else { ModelKind::Rerank })
    }

    /// The model for a request that any kind can serve: the named one, or without a name the only
    /// one.
    ///
    /// # Errors
    /// [`ServeError::UnknownModel`], or [`ServeError::Invalid`] where the name is missing.
    pub fn choose_any(&self, name: Option<&str>) -> Result<Arc<dyn Model>, ServeError> {
        match (name, self.all().as_slice()) {
            (Some(name), _) => self.find(name),
            (None, [only]) => Ok(Arc::clone(only)),
            (None, list) => Err(one_of(list)),
        }
    }

    fn only(&self, kind: ModelKind) -> Result<Arc<dyn Model>, ServeError> {
        let mut of_kind = self.all();
        of_kind.retain(|model| model.kind() == kind);
        match of_kind.as_slice() {
            [only] => Ok(Arc::clone(only)),
            [] => Err(missing(format!("this node serves no model that {}", purpose(kind)))),
            several => Err(one_of(several)),
        }
    }

    fn change(
        &self,
        new: impl FnOnce(&[Served]) -> Result<Vec<Served>, NameTaken>,
    ) -> Result<(), NameTaken> {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        *list = new(&list)?.into();
        Ok(())
    }
}

impl Served {
    fn answers_to(&self, name: &str) -> bool {
        self.model.name() == name || self.aliases.iter().any(|alias| alias == name)
    }
}

fn ranker(best: ModelKind, kind: ModelKind) -> ModelKind {
    if kind == ModelKind::Rerank { kind } else { best }
}

fn is_free(list: &[Served], name: &str) -> Result<(), NameTaken> {
    match list.iter().any(|served| served.answers_to(name)) {
        true => Err(NameTaken { name: name.to_owned() }),
        false => Ok(()),
    }
}

fn one_of(models: &[Arc<dyn Model>]) -> ServeError {
    let names: Vec<_> = models.iter().map(|model| model.name()).collect();
    missing(format!("name one of: {}", names.join(", ")))
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
        ModelKind::Rerank => "ranks documents",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakeModel;

    fn model(name: &str, kind: ModelKind) -> Arc<dyn Model> {
        Arc::new(FakeModel::new(name, kind))
    }

    fn models(list: &[(&str, ModelKind)]) -> Models {
        Models::new(list.iter().map(|(name, kind)| model(name, *kind)).collect())
    }

    fn chat(name: &str, aliases: &[&str]) -> Served {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        Served { model: model(name, ModelKind::Chat), aliases }
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

    #[test]
    fn a_reranker_ranks_before_an_embedding_model_does() {
        let chosen = |list: &[(&str, ModelKind)], name| {
            models(list).choose_ranker(name).map(|model| model.name().to_owned())
        };
        let (e, r) = (("e", ModelKind::Embedding), ("r", ModelKind::Rerank));
        assert_eq!(chosen(&[e, r], None), Ok("r".into()));
        assert_eq!(chosen(&[e, r], Some("e")), Ok("e".into()));
        assert_eq!(chosen(&[e, ("c", ModelKind::Chat)], None), Ok("e".into()));
        let wrong = chosen(&[e, ("c", ModelKind::Chat)], Some("c")).expect_err("it chats");
        assert!(wrong.to_string().contains("ranks documents"), "{wrong}");
        let several = chosen(&[r, ("s", ModelKind::Rerank)], None).expect_err("which?");
        assert_eq!(several.to_string(), "model is missing: name one of: r, s");
    }

    #[test]
    fn a_name_or_alias_that_is_taken_is_refused_and_nothing_changes() {
        let models = models(&[("a", ModelKind::Chat)]);
        models.insert(chat("b", &["x"])).expect("free names");
        for (new, taken) in [
            (chat("a", &[]), "a"),
            (chat("x", &[]), "x"),
            (chat("c", &["b"]), "b"),
            (chat("c", &["y", "x"]), "x"),
        ] {
            assert_eq!(models.insert(new), Err(NameTaken { name: taken.into() }));
        }
        let refused = models.set_aliases("a", vec!["x".into()]);
        assert_eq!(refused, Err(NameTaken { name: "x".into() }));
        assert_eq!(models.all().len(), 2);
        assert!(models.set_aliases("b", vec!["x".into(), "y".into()]).is_ok(), "its own alias");
    }

    #[test]
    fn an_alias_finds_the_model_of_the_real_name_until_it_is_gone() {
        let models = models(&[]);
        models.insert(chat("real", &["gpt-4o-mini"])).expect("free names");
        let found = models.choose(Some("gpt-4o-mini"), ModelKind::Chat).expect("an alias");
        assert_eq!(found.name(), "real");
        models.remove("gpt-4o-mini");
        assert_eq!(models.all().len(), 1, "an alias is no model");
        models.remove("real");
        assert!(models.find("gpt-4o-mini").is_err());
        assert_eq!(found.name(), "real", "who chose it keeps it");
    }

    #[test]
    fn an_unloaded_model_is_not_waited_for_and_one_that_is_down_is() {
        let fake = Arc::new(FakeModel::new("a", ModelKind::Chat));
        let models = Models::new(vec![Arc::clone(&fake) as Arc<dyn Model>]);
        fake.set_status(ModelStatus::Unloaded);
        assert!(models.are_ready());
        fake.set_status(ModelStatus::Loading { share: 0.9 });
        assert!(!models.are_ready());
    }
}
