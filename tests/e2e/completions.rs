//! `/v1/completions`: raw continuation of a text.

use gaia_tests::{Node, NodeOptions};
use serde_json::json;

#[test]
fn a_text_is_continued_whole_and_streamed() {
    let node = Node::start(&NodeOptions::default());
    // Control tokens count in a raw text.
    let prompt =
        "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n";
    let mut request = json!({
        "model": "chat", "prompt": prompt, "temperature": 0, "max_tokens": 6,
    });
    let whole = node.client().post("/v1/completions", &request);
    assert_eq!(whole.status, 200, "{}", whole.body);
    let whole = whole.json();
    assert_eq!(whole["object"], "text_completion");
    assert!(whole["choices"][0]["text"].as_str().expect("text").contains("Paris"), "{whole}");
    assert_eq!(whole["choices"][0]["finish_reason"], "length");
    request["stream"] = json!(true);
    let (streamed, _) =
        node.client().stream("/v1/completions", &request).expect("a stream").collect();
    assert_eq!(whole["choices"][0]["text"], streamed);
}
