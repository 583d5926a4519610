//! Functions that stand in namespaces, as agents send those of their MCP servers.
//!
//! A model knows no namespaces: it is given each function under both names as one, and what it calls
//! is taken apart again.

use std::collections::HashMap;

use gaia_protocol::Tool;
use serde_json::{Value, json};

use super::tools;
use crate::http::error::ApiError;
use crate::http::fields::must_be;
use crate::http::functions::TOOLS_MAX;
use crate::http::object::Object;

/// The `type` of a namespace among the tools.
pub const NAMESPACE: &str = "namespace";

/// The namespace and the own name of each function that has one, by the name that the model knows.
#[derive(Clone, Debug, Default)]
pub struct Namespaces(HashMap<String, (String, String)>);

impl Namespaces {
    /// Takes a namespace of the request: its functions as the model is to know them, and the namespace
    /// as it is repeated.
    pub fn read(&mut self, place: &str, value: Value) -> Result<(Vec<Tool>, Value), ApiError> {
        let mut object = Object::new(place, value)?;
        object.ignore(&["type"]);
        let (name, description) = (object.name("name")?, object.string("description")?);
        let path = object.path("tools");
        let list = match object.take("tools") {
            Some(Value::Array(list)) if list.len() <= TOOLS_MAX => list,
            _ => return Err(must_be(&path, &format!("a list of at most {TOOLS_MAX} functions"))),
        };
        object.finish()?;
        let function = |(index, value)| tools::function(&format!("{path}[{index}]"), value);
        let own: Vec<_> = list.into_iter().enumerate().map(function).collect::<Result<_, _>>()?;
        let repeated: Vec<_> = own.iter().map(tools::echo).collect();
        let echo = json!({
            "type": NAMESPACE, "name": name, "description": description, "tools": repeated,
        });
        let mut about = description.filter(|text| !text.is_empty());
        let qualified = |tool: Tool| self.qualified(&name, tool, about.take());
        Ok((own.into_iter().map(qualified).collect(), echo))
    }

    /// A namespace is told of with the first of its functions.
    fn qualified(&mut self, namespace: &str, tool: Tool, about: Option<String>) -> Tool {
        let name = joined(Some(namespace), &tool.name);
        self.0.insert(name.clone(), (namespace.to_owned(), tool.name));
        let texts: Vec<_> = about.into_iter().chain(tool.description).collect();
        let description = (!texts.is_empty()).then(|| texts.join("\n\n"));
        Tool { name, description, ..tool }
    }

    /// The namespace, if there is one, and the own name of a function that the model calls.
    pub fn split(&self, called: String) -> (Option<String>, String) {
        match self.0.get(&called) {
            Some((namespace, name)) => (Some(namespace.clone()), name.clone()),
            None => (None, called),
        }
    }
}

/// The name under which a model knows a function.
pub fn joined(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}__{name}"))
}
