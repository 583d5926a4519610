//! The document as a whole, and the part of it that a client asks for.

use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{Operation, Tag, shared};

const SCHEMAS: &str = "#/components/schemas/";

/// The document, made once.
pub struct Document {
    /// Without the address of the node, which each client has its own word for.
    whole: Value,
}

impl Document {
    /// The document of these operations, on a node that has keys or has none.
    pub fn new<'a>(operations: impl IntoIterator<Item = &'a Operation>, has_keys: bool) -> Self {
        let mut generator = generator();
        let mut paths = Map::new();
        for operation in operations {
            let path = operation.path().replace("{*", "{");
            let path = paths.entry(path).or_insert_with(|| json!({}));
            path[operation.method()] = operation.describe(&mut generator);
        }
        let mut schemas = generator.take_definitions(true);
        schemas.extend(shared::schemas());
        let bearer = json!([{"bearer": []}]);
        // Without keys nobody has to bring one.
        let security = if has_keys { bearer } else { json!([{}, {"bearer": []}]) };
        let mut whole = json!({
            "openapi": "3.1.0",
            "info": {
                "title": "Gaia node",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Models, knowledge bases and a Rust compiler on a machine of your own.",
            },
            "tags": Tag::ALL.map(|tag| json!({"name": tag.name(), "description": tag.description()})),
            "paths": paths,
            "security": security,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        });
        plain(&mut whole);
        drop_unused(&mut whole);
        Self { whole }
    }

    /// The document for a client that calls the node `address`; with `only`, of the operations of
    /// these names and tags alone.
    ///
    /// # Errors
    /// The first of these names that no operation and no tag has.
    pub fn of(&self, address: &str, only: &[&str]) -> Result<Value, String> {
        let mut part = self.whole.clone();
        part["servers"] = json!([{"url": address}]);
        if !only.is_empty() {
            let known = self.names();
            if let Some(unknown) = only.iter().find(|name| !known.contains(**name)) {
                return Err((*unknown).to_owned());
            }
            keep_operations(&mut part, only);
            drop_unused(&mut part);
        }
        Ok(part)
    }

    /// The names that [`Document::of`] takes.
    fn names(&self) -> BTreeSet<&str> {
        let paths = self.whole["paths"].as_object().into_iter().flat_map(Map::values);
        let operations = paths.filter_map(Value::as_object).flat_map(Map::values);
        let ids = operations.filter_map(|operation| operation["operationId"].as_str());
        ids.chain(Tag::ALL.map(Tag::name)).collect()
    }
}

fn generator() -> SchemaGenerator {
    let common = |settings: &mut SchemaSettings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    };
    SchemaSettings::draft2020_12().with(common).for_serialize().into_generator()
}

fn keep_operations(document: &mut Value, only: &[&str]) {
    let is_wanted = |operation: &Value| {
        let tags = operation["tags"].as_array().into_iter().flatten();
        let names = tags.chain([&operation["operationId"]]).filter_map(Value::as_str);
        names.into_iter().any(|name| only.contains(&name))
    };
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for path in paths.values_mut().filter_map(Value::as_object_mut) {
        path.retain(|_, operation| is_wanted(operation));
    }
    paths.retain(|_, path| path.as_object().is_some_and(|path| !path.is_empty()));
}

/// Drops the common schemas that nothing names.
fn drop_unused(document: &mut Value) {
    let mut used = BTreeSet::new();
    references(&document["paths"], &mut used);
    let mut open: Vec<String> = used.iter().cloned().collect();
    while let Some(name) = open.pop() {
        let mut more = BTreeSet::new();
        references(&document["components"]["schemas"][&name], &mut more);
        open.extend(more.into_iter().filter(|name| used.insert(name.clone())));
    }
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.retain(|name, _| used.contains(name));
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            let named = map.get("$ref").and_then(Value::as_str);
            found.extend(named.and_then(|named| named.strip_prefix(SCHEMAS)).map(str::to_owned));
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Writes `true`, the schema of any value, as an object: some readers know no other schemas.
fn plain(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                let anything = properties.values_mut().filter(|schema| **schema == json!(true));
                anything.for_each(|schema| *schema = json!({}));
            }
            map.values_mut().for_each(plain);
        }
        Value::Array(list) => list.iter_mut().for_each(plain),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi::Schema;

    fn document() -> Document {
        let search = Operation::post("/search", "search")
            .tag(Tag::Knowledge)
            .takes(Schema::object().may("filter", Schema::named("Filter")), json!({}));
        Document::new([&search, &Operation::get("/state", "state").tag(Tag::Node)], true)
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(document().of("http://x", &["search", "nothing"]), Err("nothing".to_owned()));
    }

    #[test]
    fn a_part_has_what_it_names_and_no_more() {
        for only in ["search", "Knowledge"] {
            let part = document().of("http://x", &[only]).expect("it is known");
            assert_eq!(part["paths"].as_object().map(Map::len), Some(1));
            assert!(part["components"]["schemas"]["Filter"].is_object());
            assert!(part["components"]["schemas"]["Passage"].is_null());
            assert_eq!(part["servers"][0]["url"], "http://x");
        }
    }
}
