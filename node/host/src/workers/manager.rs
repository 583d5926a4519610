//! Loads, unloads, swaps and removes models while the node serves. Nothing of it is written to the
//! config file: the next start serves what the file says.
//!
//! An operation is checked whole before it begins, then runs in a task of its own: whoever asked for
//! it may go away. One model has one operation at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gaia_core::{Model, ModelStatus, Models, NameTaken, ServeError, Served};
use tokio::sync::oneshot;
use toml::Table;

use super::fleet::{Fleet, Tenant};
use super::model::WorkerModel;
use super::slot::{Hold, Slot};
use crate::config::{AdminConfig, Changes, Config, LoadWhen, MODELS_MAX};
use crate::config::{Places, Problem, ServedConfig, names_twice};

/// Why an operation did not begin. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No model has this name.
    #[error("the model `{name}` does not exist; this node serves: {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// It has no worker here.
    #[error(
        "`{name}` is served by another server, under [[upstreams]] of this node's config: change it \
         there"
    )]
    Elsewhere {
        /// The model.
        name: String,
    },
    /// One operation at a time.
    #[error("another operation on `{name}` is at work; wait for its end")]
    Busy {
        /// The model.
        name: String,
    },
    /// A name or alias belongs to another model.
    #[error(transparent)]
    Taken(#[from] NameTaken),
    /// Each model takes a process.
    #[error("this node serves {MODELS_MAX} models, which is its limit; remove one first")]
    Full,
    /// Something is wrong with the keys.
    #[error("{}", list(.0))]
    Problems(Vec<Problem>),
    /// The node ends.
    #[error(transparent)]
    Ending(#[from] ServeError),
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The worker says why.
    #[error("it can't be loaded: {0}")]
    Load(String),
    /// It may still be loading.
    #[error("it was not loaded within load_timeout_ms = {}", .0.as_millis())]
    Timeout(Duration),
}

/// How an operation ends. The sender is gone only when the node ends.
pub type Operation = oneshot::Receiver<Result<(), Failure>>;

/// What becomes of a new model that does not load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfItFails {
    /// It is tried again and again, and says why it fails.
    Keep,
    /// As if it had never been asked for.
    Remove,
}

/// The models and what changes them.
pub struct Manager {
    models: Models,
    slots: Mutex<Vec<Slot>>,
    fleet: Arc<Fleet>,
    places: Places,
    admin: AdminConfig,
}

impl Manager {
    /// Keeps `models`; what may be loaded is in `config`.
    #[must_use]
    pub fn new(models: Models, fleet: Arc<Fleet>, config: &Config) -> Self {
        let (places, admin) = (config.places.clone(), config.admin.clone());
        Self { models, slots: Mutex::default(), fleet, places, admin }
    }

    /// The models as requests find them.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// The models as the operator finds them.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        self.lock().clone()
    }

    /// Lets requests find a model.
    ///
    /// # Errors
    /// [`Refusal::Full`] or [`Refusal::Taken`].
    pub fn add(&self, slot: &Slot, aliases: Vec<String>) -> Result<(), Refusal> {
        let mut slots = self.lock();
        if slots.len() >= MODELS_MAX {
            return Err(Refusal::Full);
        }
        self.models.insert(Served { model: Arc::new(slot.clone()), aliases })?;
        slots.push(slot.clone());
        Ok(())
    }

    /// Adds a model, and loads it unless it waits for its first request.
    ///
    /// # Errors
    /// Every [`Refusal`] but [`Refusal::Unknown`].
    pub fn create(
        self: &Arc<Self>,
        given: &Changes,
        if_it_fails: IfItFails,
    ) -> Result<Operation, Refusal> {
        let mut table = given.apply(Table::new());
        if let Some(app) = usual_app(&table) {
            table.entry("app").or_insert(app.into());
        }
        let config = self.read(given, table)?;
        let slot = Slot::new(config.clone(), Arc::clone(&self.fleet));
        let hold = slot.hold().expect("nobody else knows it");
        self.add(&slot, config.aliases.clone())?;
        let manager = Arc::clone(self);
        self.begin(hold, move |slot| async move {
            if config.load == LoadWhen::Demand {
                return Ok(());
            }
            let loaded = load(&slot, config.load_timeout).await;
            if loaded.is_err() && if_it_fails == IfItFails::Remove {
                manager.forget(&slot);
                manager.retire(slot.close()).await;
            }
            loaded
        })
    }

    /// Starts a model's worker unless there is one.
    ///
    /// # Errors
    /// [`Refusal::Unknown`], [`Refusal::Busy`] or [`Refusal::Ending`].
    pub fn load(&self, name: &str) -> Result<Operation, Refusal> {
        let hold = self.hold(name)?;
        let limit = hold.overview().config.load_timeout;
        self.begin(hold, move |slot| async move { load(&slot, limit).await })
    }

    /// Ends a model's worker once its requests have ended.
    ///
    /// # Errors
    /// As [`Manager::load`].
    pub fn unload(self: &Arc<Self>, name: &str) -> Result<Operation, Refusal> {
        let hold = self.hold(name)?;
        let manager = Arc::clone(self);
        self.begin(hold, move |slot| async move {
            manager.retire(slot.vacate()).await;
            tracing::info!(model = slot.name(), "unloaded by the operator");
            Ok(())
        })
    }

    /// Takes a model away once its requests have ended.
    ///
    /// # Errors
    /// As [`Manager::load`].
    pub fn remove(self: &Arc<Self>, name: &str) -> Result<Operation, Refusal> {
        let hold = self.hold(name)?;
        let manager = Arc::clone(self);
        self.begin(hold, move |slot| async move {
            manager.forget(&slot);
            manager.retire(slot.close()).await;
            tracing::info!(model = slot.name(), "removed by the operator");
            Ok(())
        })
    }

    /// Changes a model's keys: loads a new worker beside the one that serves, gives it the requests
    /// that come from then on, and ends the old one once its requests have ended. Until the new one
    /// is loaded, and for ever if it can't be, the old one serves.
    ///
    /// # Errors
    /// Every [`Refusal`] but [`Refusal::Full`].
    pub fn swap(self: &Arc<Self>, name: &str, changes: &Changes) -> Result<Operation, Refusal> {
        let hold = self.hold(name)?;
        let old = hold.overview().config;
        let new = self.read(changes, changes.apply(old.table.clone()))?;
        same(&old, &new)?;
        // The new aliases are taken from now on, so that nobody else takes them meanwhile.
        self.models.set_aliases(name, [&old.aliases[..], &new.aliases].concat())?;
        let manager = Arc::clone(self);
        let unchanged = old.aliases.clone();
        let begun = self.begin(hold, move |slot| async move {
            let (loaded, aliases) = match manager.exchange(&slot, new.clone()).await {
                Ok(()) => (Ok(()), new.aliases),
                Err(failure) => (Err(failure), old.aliases),
            };
            manager.rename(&slot, aliases);
            loaded
        });
        if begun.is_err() {
            self.models.set_aliases(name, unchanged)?;
        }
        begun
    }

    /// Ends the workers of models that nobody has asked for in their time.
    pub fn unload_idle(self: &Arc<Self>) {
        for slot in self.slots() {
            let Some(tenant) = slot.vacate_if_idle() else { continue };
            tracing::info!(model = slot.name(), "unloaded: nobody asked for it");
            let manager = Arc::clone(self);
            // A node that ends needs no help with that.
            let _ = self.fleet.spawn(async move { manager.retire(Some(tenant)).await });
        }
    }

    async fn exchange(&self, slot: &Slot, config: ServedConfig) -> Result<(), Failure> {
        let successor = slot.start_successor(&config).map_err(ending)?;
        if let Err(failure) = loaded(&successor.model, config.load_timeout).await {
            successor.end().await;
            return Err(failure);
        }
        tracing::info!(model = slot.name(), "swapped by the operator");
        self.retire(slot.switch(successor, config)).await;
        Ok(())
    }

    fn rename(&self, slot: &Slot, aliases: Vec<String>) {
        let renamed = self.models.set_aliases(slot.name(), aliases);
        renamed.expect("they were reserved when the swap began");
    }

    fn forget(&self, slot: &Slot) {
        self.models.remove(slot.name());
        self.lock().retain(|other| other.name() != slot.name());
    }

    async fn retire(&self, tenant: Option<Tenant>) {
        if let Some(tenant) = tenant {
            self.fleet.retire(tenant).await;
        }
    }

    fn hold(&self, name: &str) -> Result<Hold, Refusal> {
        let slots = self.slots();
        let slot = slots.iter().find(|slot| slot.name() == name);
        let slot = slot.ok_or_else(|| self.not_here(name))?;
        slot.hold().ok_or_else(|| Refusal::Busy { name: name.to_owned() })
    }

    fn not_here(&self, name: &str) -> Refusal {
        let name = name.to_owned();
        let known: Vec<_> = self.models.all().iter().map(|m| m.name().to_owned()).collect();
        match known.contains(&name) {
            true => Refusal::Elsewhere { name },
            false => Refusal::Unknown { name, known },
        }
    }

    fn read(&self, given: &Changes, table: Table) -> Result<ServedConfig, Refusal> {
        let mut problems = self.admin.check(&given.set, &self.places);
        let config = ServedConfig::read("", table, &self.places, &mut problems);
        if let Some((_, name)) = config.iter().flat_map(|c| names_twice([c.names()])).next() {
            let message = format!("{name:?} is there twice");
            problems.push(Problem { key: "aliases".into(), message });
        }
        config.filter(|_| problems.is_empty()).ok_or(Refusal::Problems(problems))
    }

    fn begin<Work>(&self, hold: Hold, work: impl FnOnce(Slot) -> Work) -> Result<Operation, Refusal>
    where
        Work: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let (told, operation) = oneshot::channel();
        let work = work(hold.clone());
        self.fleet.spawn(async move {
            let ended = work.await;
            if let Err(failure) = &ended {
                tracing::warn!(model = hold.name(), %failure, "what the operator asked for failed");
            }
            hold.note(ended.as_ref().err().map(ToString::to_string));
            drop(hold);
            // Nobody needs to wait for it.
            let _ = told.send(ended);
        })?;
        Ok(operation)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn load(slot: &Slot, limit: Duration) -> Result<(), Failure> {
    let model = slot.start_worker(false).map_err(ending)?;
    loaded(&model, limit).await
}

async fn loaded(model: &WorkerModel, limit: Duration) -> Result<(), Failure> {
    let settled = tokio::time::timeout(limit, model.settled()).await;
    settled.map_err(|_| Failure::Timeout(limit))?;
    match model.status() {
        ModelStatus::Ready(_) => Ok(()),
        ModelStatus::Down { reason, .. } => Err(Failure::Load(reason)),
        ModelStatus::Loading { .. } | ModelStatus::Unloaded => {
            Err(Failure::Load("its worker was taken away".into()))
        }
    }
}

fn ending(error: ServeError) -> Failure {
    Failure::Load(error.to_string())
}

/// The app that serves a model of this kind, unless another is named.
fn usual_app(table: &Table) -> Option<&'static str> {
    match table.get("kind")?.as_str()? {
        "chat" => Some("apps/chat.wasm"),
        "embedding" | "rerank" => Some("apps/embed.wasm"),
        _ => None,
    }
}

/// A swap exchanges what serves a name; the name and what it is for are what clients rely on.
fn same(old: &ServedConfig, new: &ServedConfig) -> Result<(), Refusal> {
    let advice = "a swap does not change it; remove the model and load another";
    let (is_name, is_kind) = (old.model.name == new.model.name, old.model.kind == new.model.kind);
    let keys = [("name", is_name), ("kind", is_kind)].into_iter().filter(|(_, same)| !same);
    let problems: Vec<_> =
        keys.map(|(key, _)| Problem { key: key.into(), message: advice.into() }).collect();
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Problems(problems)) }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
