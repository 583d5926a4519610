//! One instance's graphs and contexts. All of them go when the instance goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::context::Context;
use super::errno::Errno;
use super::model::Model;
use super::options::Options;

/// Graphs of one instance at most. A graph is only a name and options.
const GRAPHS_MAX: usize = 64;
/// Contexts of one instance at most: an embedding app opens one per input.
const CONTEXTS_MAX: usize = 1024;

/// What a model's name stands for.
pub(crate) enum Resolution {
    /// A model.
    Found(Arc<dyn Model>),
    /// Nothing.
    Unknown,
    /// A model whose file is not there.
    FileMissing,
    /// A model that can't be loaded.
    Failed,
}

/// Finds models by name; may load them.
pub(crate) type Resolver = Box<dyn FnMut(&str) -> Resolution + Send>;

struct Graph {
    name: String,
    model: Arc<dyn Model>,
    options: Options,
}

/// A context and the graph it was made from.
struct Entry {
    graph: u32,
    context: Context,
}

/// All that one instance has.
pub(crate) struct World {
    resolver: Resolver,
    graphs: BTreeMap<u32, Graph>,
    names: HashMap<String, u32>,
    contexts: BTreeMap<u32, Entry>,
    /// Handles are never used again within an instance.
    next_handle: u32,
}

impl World {
    pub(crate) fn new(resolver: Resolver) -> Self {
        Self {
            resolver,
            graphs: BTreeMap::new(),
            names: HashMap::new(),
            contexts: BTreeMap::new(),
            next_handle: 0,
        }
    }

    /// The graph of that name: the one there is, whose options stay, or a new one.
    pub(super) fn load(&mut self, name: &str, options: Option<&[u8]>) -> Result<u32, Errno> {
        if let Some(handle) = self.names.get(name) {
            return Ok(*handle);
        }
        let model = match (self.resolver)(name) {
            Resolution::Found(model) => model,
            Resolution::Unknown => return Err(Errno::NotFound),
            Resolution::FileMissing => return Err(Errno::ModelNotFound),
            Resolution::Failed => return Err(Errno::InvalidArgument),
        };
        // The stock plugin takes an empty config for none.
        let options = match options {
            Some(json) if !json.is_empty() => Options::default().merged(json)?,
            _ => Options::default(),
        };
        if self.graphs.len() >= GRAPHS_MAX {
            tracing::warn!(limit = GRAPHS_MAX, "a guest opens too many graphs");
            return Err(Errno::RuntimeError);
        }
        let handle = self.handle()?;
        self.graphs.insert(handle, Graph { name: name.to_owned(), model, options });
        self.names.insert(name.to_owned(), handle);
        Ok(handle)
    }

    /// A new context of a graph, with the graph's options.
    pub(super) fn open(&mut self, graph: u32) -> Result<u32, Errno> {
        let source = self.graphs.get(&graph).ok_or(Errno::InvalidArgument)?;
        let context = Context::new(Arc::clone(&source.model), source.options.clone());
        if self.contexts.len() >= CONTEXTS_MAX {
            tracing::warn!(limit = CONTEXTS_MAX, "a guest opens too many contexts");
            return Err(Errno::RuntimeError);
        }
        let handle = self.handle()?;
        self.contexts.insert(handle, Entry { graph, context });
        Ok(handle)
    }

    /// A context to compute with: its graph must be loaded still.
    pub(super) fn live(&mut self, context: u32) -> Result<&mut Context, Errno> {
        let entry = self.contexts.get_mut(&context).ok_or(Errno::InvalidArgument)?;
        if !self.graphs.contains_key(&entry.graph) {
            return Err(Errno::InvalidArgument);
        }
        Ok(&mut entry.context)
    }

    /// A context to read from: its graph may be unloaded.
    pub(super) fn any(&mut self, context: u32) -> Result<&mut Context, Errno> {
        self.contexts
            .get_mut(&context)
            .map(|entry| &mut entry.context)
            .ok_or(Errno::InvalidArgument)
    }

    /// Forgets a graph. Its contexts can be read, and no longer computed.
    pub(super) fn unload(&mut self, graph: u32) -> Result<(), Errno> {
        let gone = self.graphs.remove(&graph).ok_or(Errno::InvalidArgument)?;
        self.names.remove(&gone.name);
        Ok(())
    }

    /// Forgets a context and ends what it computes.
    pub(super) fn close(&mut self, context: u32) -> Result<(), Errno> {
        self.contexts.remove(&context).map(drop).ok_or(Errno::InvalidArgument)
    }

    fn handle(&mut self) -> Result<u32, Errno> {
        let handle = self.next_handle;
        self.next_handle = handle.checked_add(1).ok_or(Errno::RuntimeError)?;
        Ok(handle)
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
