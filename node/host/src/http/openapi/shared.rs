//! The schemas that several routes name.

use serde_json::{Map, Value};

use super::Schema;

/// All of them, by name.
pub fn schemas() -> Map<String, Value> {
    let all = [
        ("Error", error()),
        ("AnthropicError", anthropic_error()),
        ("RustCoderError", rust_coder_error()),
        ("Filter", filter()),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema.into())).collect()
}

fn error() -> Schema {
    let fields = Schema::open()
        .needs("message", Schema::text().says("What is wrong, and what to do."))
        .needs("type", Schema::text())
        .needs("param", Schema::text().or_null().says("The field at fault."))
        .needs("code", Schema::text().or_null().says("A word for programs."));
    Schema::open().needs("error", fields).says("A refusal, as OpenAI's clients read it.")
}

fn anthropic_error() -> Schema {
    let fields = Schema::open().needs("type", Schema::text()).needs("message", Schema::text());
    Schema::open()
        .needs("type", Schema::words(&["error"]))
        .needs("error", fields)
        .says("A refusal, as Anthropic's clients read it.")
}

fn rust_coder_error() -> Schema {
    Schema::open()
        .needs("detail", Schema::text().says("What is wrong."))
        .says("A refusal, as Rust Coder's clients read it.")
}

fn filter() -> Schema {
    let kinds = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"];
    let field = "The field to compare, such as `document` or `attributes.lang`. Not with and, or.";
    Schema::object()
        .needs("type", Schema::words(&kinds))
        .may("field", Schema::text().says(field))
        .may("value", Schema::any().says("A text, a number, true or false; a list for in and nin."))
        .may("filters", Schema::list(Schema::named("Filter")).says("What and, or are made of."))
        .says("Which passages count, by their fields.")
}
