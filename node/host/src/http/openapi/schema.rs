//! JSON Schemas, put together by hand.

use serde_json::{Map, Value, json};

/// The schema of a value.
#[derive(Clone, Debug)]
pub struct Schema(Map<String, Value>);

impl Schema {
    /// Any value.
    pub fn any() -> Self {
        Self(Map::new())
    }

    /// A string.
    pub fn text() -> Self {
        Self::of("string")
    }

    /// A string that is not empty.
    pub fn filled() -> Self {
        Self::text().set("minLength", json!(1))
    }

    /// An integer.
    pub fn integer() -> Self {
        Self::of("integer")
    }

    /// A number.
    pub fn number() -> Self {
        Self::of("number")
    }

    /// `true` or `false`.
    pub fn flag() -> Self {
        Self::of("boolean")
    }

    /// One of these words.
    pub fn words(words: &[&str]) -> Self {
        Self::text().set("enum", json!(words))
    }

    /// A list.
    pub fn list(items: Self) -> Self {
        Self::of("array").set("items", items.into())
    }

    /// An object of any names and values of one kind.
    pub fn map(values: Self) -> Self {
        Self::of("object").set("additionalProperties", values.into())
    }

    /// An object without further fields than those that are described.
    pub fn object() -> Self {
        Self::of("object").set("additionalProperties", json!(false)).set("properties", json!({}))
    }

    /// An object that may have further fields.
    pub fn open() -> Self {
        Self::of("object")
    }

    /// A value of one of these kinds.
    pub fn either(kinds: impl IntoIterator<Item = Self>) -> Self {
        Self::any().set("anyOf", kinds.into_iter().map(Value::from).collect())
    }

    /// One of the document's common schemas.
    pub fn named(name: &str) -> Self {
        Self::any().set("$ref", format!("#/components/schemas/{name}").into())
    }

    /// The bytes of a file.
    pub fn bytes() -> Self {
        Self::text().set("format", json!("binary"))
    }

    /// A page of a list, as OpenAI's clients read it.
    pub fn page(items: Self) -> Self {
        let id = || Self::text().or_null();
        Self::open()
            .needs("object", Self::words(&["list"]))
            .needs("data", Self::list(items))
            .needs("first_id", id())
            .needs("last_id", id())
            .needs("has_more", Self::flag())
    }

    fn of(kind: &str) -> Self {
        Self::any().set("type", json!(kind))
    }

    /// What it is, in words.
    pub fn says(self, description: &str) -> Self {
        self.set("description", json!(description))
    }

    /// What holds where nothing is given.
    pub fn default(self, value: impl Into<Value>) -> Self {
        self.set("default", value.into())
    }

    /// The least and the greatest number.
    pub fn within(self, least: impl Into<Value>, most: impl Into<Value>) -> Self {
        self.set("minimum", least.into()).set("maximum", most.into())
    }

    /// The least number.
    pub fn least(self, least: impl Into<Value>) -> Self {
        self.set("minimum", least.into())
    }

    /// The fewest and the most items of a list.
    pub fn items(self, least: usize, most: usize) -> Self {
        self.set("minItems", least.into()).set("maxItems", most.into())
    }

    /// A list that is not empty.
    pub fn at_least_one(self) -> Self {
        self.set("minItems", json!(1))
    }

    /// The most entries of a map, and the most characters of their names, which are not empty.
    pub fn entries(self, most: usize, name_chars_max: usize) -> Self {
        let names = json!({"minLength": 1, "maxLength": name_chars_max});
        self.set("maxProperties", json!(most)).set("propertyNames", names)
    }

    /// The most characters of a text.
    pub fn chars(self, most: usize) -> Self {
        self.set("maxLength", json!(most))
    }

    /// The same, or null.
    pub fn or_null(self) -> Self {
        Self::either([self, Self::of("null")])
    }

    /// A field that must be there.
    pub fn needs(mut self, name: &str, schema: Self) -> Self {
        let required = self.0.entry("required").or_insert_with(|| json!([]));
        if let Value::Array(list) = required {
            list.push(name.into());
        }
        self.may(name, schema)
    }

    /// A field that may be left out.
    pub fn may(mut self, name: &str, schema: Self) -> Self {
        let properties = self.0.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(map) = properties {
            map.insert(name.to_owned(), schema.into());
        }
        self
    }

    /// The same with the fields that `describe` adds: those of a part that several bodies share.
    pub fn with(self, describe: impl FnOnce(Self) -> Self) -> Self {
        describe(self)
    }

    fn set(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Self {
        Self::Object(schema.0)
    }
}
