//! The routes, and what the document says of them.

use serde_json::json;

use super::answer::Answer;
use super::item::Item;
use super::settings::{
    METADATA_KEY_CHARS_MAX, METADATA_MAX, METADATA_VALUE_CHARS_MAX, TOP_LOGPROBS_MAX,
};
use super::{file_search, post, stored};
use crate::http::functions::TOOLS_MAX;
use crate::http::knowledge;
use crate::http::openapi::{Operation, Routes, Schema};

const ONE: &str = "/v1/responses/{id}";

/// The routes.
pub fn routes() -> Routes {
    let of_one =
        |operation: Operation| operation.segment("id", "The answer's id.").says("What was kept.");
    let deleted = Schema::open().needs("id", Schema::text()).needs("deleted", Schema::flag());
    let include = Schema::text();
    Routes::default()
        .route(create(), post)
        .route(
            of_one(Operation::get(ONE, "get_response"))
                .says("An answer that was kept.")
                .query("stream", Schema::words(&["false"]), "An answer is streamed once.")
                .query("include", include.clone(), "It changes nothing: all is there.")
                .answers_with::<Answer<'static>>(),
            stored::get,
        )
        .route(
            of_one(Operation::delete(ONE, "delete_response"))
                .says("Forgets an answer.")
                .answers(deleted),
            stored::delete,
        )
        .route(
            of_one(Operation::get("/v1/responses/{id}/input_items", "response_input_items"))
                .says("What an answer was asked.")
                .query("include", include, "It changes nothing: all is there.")
                .pages(stored::PAGE.max)
                .answers_page_of::<Item>(),
            stored::input_items,
        )
}

fn create() -> Operation {
    Operation::post("/v1/responses", "create_response")
        .says(
            "Answers a conversation, as OpenAI's responses do: the answer is kept, and a later \
             request can go on from it by `previous_response_id`.",
        )
        .takes(takes(), json!({"input": "Hello"}))
        .answers_with::<Answer<'static>>()
        .streams("With `stream`: the events of OpenAI's responses.")
}

fn takes() -> Schema {
    let label = || Schema::text().says("It changes nothing.");
    let penalty = || Schema::number().within(-2, 2);
    let items = Schema::list(Schema::open().says("An item, as OpenAI's clients write it."));
    let includes =
        ["message.output_text.logprobs", "file_search_call.results", "reasoning.encrypted_content"];
    let top = Schema::integer().within(0, TOP_LOGPROBS_MAX);
    Schema::object()
        .needs("input", Schema::either([Schema::text(), items]))
        .may("model", Schema::text().says("A chat model; not needed if there is only one."))
        .may("instructions", Schema::text().says("The operator's word, before everything else."))
        .may("previous_response_id", Schema::text().says("The answer that this one goes on from."))
        .may("max_output_tokens", Schema::integer().least(1).says("Tokens to generate at most."))
        .may("stream", Schema::flag().says("Answer in server-sent events."))
        .may("store", Schema::flag().default(true).says("Keep the answer."))
        .may("temperature", Schema::number().within(0, 2))
        .may("top_p", Schema::number().within(0, 1))
        .may("presence_penalty", penalty())
        .may("frequency_penalty", penalty())
        .may("top_logprobs", top)
        .may("include", Schema::list(Schema::words(&includes)))
        .may("parallel_tool_calls", Schema::flag().default(true))
        .may(
            "metadata",
            Schema::map(Schema::text().chars(METADATA_VALUE_CHARS_MAX))
                .entries(METADATA_MAX, METADATA_KEY_CHARS_MAX)
                .says("What is noted of it."),
        )
        .may("prompt_cache_key", label())
        .may("safety_identifier", label())
        .may("user", label())
        .with(shape)
        .with(tools)
        .with(knowledge::describe)
}

/// What the answer is to be like.
fn shape(body: Schema) -> Schema {
    let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    let auto = || Schema::words(&["auto"]);
    let reasoning = Schema::object()
        .may("effort", Schema::words(&efforts))
        .may("summary", auto())
        .may("generate_summary", auto());
    let format = Schema::object()
        .needs("type", Schema::words(&["text", "json_object", "json_schema"]))
        .may("name", Schema::text())
        .may("description", Schema::text())
        .may("strict", Schema::flag())
        .may("schema", Schema::open().says("The JSON Schema of the answer."));
    let text = Schema::object().may("format", format).may("verbosity", Schema::words(&["medium"]));
    body.may("reasoning", reasoning)
        .may("text", text.says("What the answer's text must look like."))
}

fn tools(body: Schema) -> Schema {
    let function = Schema::object()
        .needs("type", Schema::words(&["function"]))
        .needs("name", Schema::text())
        .may("description", Schema::text())
        .may("parameters", Schema::open().says("The JSON Schema of its arguments."))
        .may("strict", Schema::flag());
    let choice = Schema::either([Schema::words(&["auto", "none", "required"]), Schema::open()]);
    let namespace = Schema::object()
        .needs("type", Schema::words(&["namespace"]))
        .needs("name", Schema::text())
        .may("description", Schema::text())
        .needs("tools", Schema::list(function.clone()).items(0, TOOLS_MAX));
    let tools = Schema::list(Schema::either([function, namespace, file_search::schema()]));
    let what = "Functions the model may call, also in namespaces, and the search in files of vector \
                stores.";
    body.may("tools", tools.items(0, TOOLS_MAX).says(what)).may(
        "tool_choice",
        choice.says("Or {\"type\": \"function\", \"name\": …} or {\"type\": \"file_search\"}."),
    )
}
