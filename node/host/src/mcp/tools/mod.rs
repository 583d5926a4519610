//! The tools, one per file: what each is called, what it takes, and the use case that it calls.

mod arguments;
mod build;
mod compile;
mod explain;
mod generate;
mod made;
mod repair;
mod report;
mod run;
mod search;
pub mod wait;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use rmcp::model::{CallToolResult, JsonObject, Tool, ToolAnnotations};

use super::jobs::Tell;
use super::{Parts, Shared};
use crate::compile::Offer;
use crate::store::Owner;

pub use wait::NAME as WAIT_FOR_JOB;

/// What a call does once it has a place among the jobs.
pub type Work = Box<dyn FnOnce(Tell) -> BoxFuture<'static, CallToolResult> + Send>;

/// Reads a call's arguments; an error names the one at fault.
pub type Begin = fn(&Arc<Shared>, &Owner, JsonObject) -> Result<Work, String>;

/// A tool and what it does.
pub struct Entry {
    /// As clients see it.
    pub tool: Tool,
    /// Begins a call.
    pub begin: Begin,
}

/// The tools of this node, in the order in which clients see them.
pub struct Tools(Vec<Entry>);

impl Tools {
    /// Those whose use cases are there.
    pub fn of(parts: &Parts) -> Self {
        let mut entries = vec![];
        if matches!(parts.compile, Offer::Open(_)) {
            entries.extend([generate::entry(), repair::entry(), compile::entry()]);
            entries.extend([run::entry(), explain::entry()]);
        }
        if parts.node.knowledge.is_some() {
            entries.push(search::entry());
        }
        Self(entries)
    }

    /// Those of a node that has everything.
    #[cfg(test)]
    pub fn all() -> Self {
        Self(vec![
            generate::entry(),
            repair::entry(),
            compile::entry(),
            run::entry(),
            explain::entry(),
            search::entry(),
        ])
    }

    /// The tool of that name, unless it is the one that waits.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.tool.name == name)
    }

    /// All of them, always in the same order.
    pub fn list(&self) -> Vec<Tool> {
        self.0.iter().map(|entry| entry.tool.clone()).chain([wait::tool()]).collect()
    }

    /// Their names.
    pub fn names(&self) -> String {
        self.list().iter().map(|tool| tool.name.to_string()).collect::<Vec<_>>().join(", ")
    }
}

/// What is said of a tool that looks and changes nothing.
fn looks_only(title: &str) -> ToolAnnotations {
    ToolAnnotations::with_title(title).read_only(true).idempotent(true).open_world(false)
}
