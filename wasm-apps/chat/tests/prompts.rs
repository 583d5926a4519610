//! Every template in `templates/` renders byte for byte as Hugging Face's own code renders it.
//!
//! `prompts.json` holds the expectations; `generate_prompts.py` makes it.

use std::collections::BTreeMap;
use std::path::Path;

use gaia_app_chat::{Conversation, Renderer, TemplateError};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    tokens: Tokens,
    conversations: BTreeMap<String, serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Tokens {
    bos_token: String,
    eos_token: String,
}

#[derive(Deserialize)]
struct Case {
    template: String,
    conversation: String,
    prompt: Option<String>,
    error: Option<String>,
}

#[test]
fn templates_render_as_hugging_face_renders_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let json = std::fs::read(folder.join("prompts.json")).expect("prompts.json is committed");
    let golden: Golden = serde_json::from_slice(&json).expect("prompts.json is as generated");
    assert!(golden.cases.len() >= 100, "only {} cases", golden.cases.len());
    let renderer = Renderer::default();
    for case in &golden.cases {
        let path = folder.join("templates").join(format!("{}.jinja", case.template));
        let template = std::fs::read_to_string(path).expect("every case's template is committed");
        let conversation = Conversation {
            messages: &golden.conversations[&case.conversation],
            tools: &serde_json::Value::Null,
            options: &serde_json::json!({}),
            bos_token: &golden.tokens.bos_token,
            eos_token: &golden.tokens.eos_token,
        };
        let prompt = renderer.render(&template, conversation);
        let expected = match (&case.prompt, &case.error) {
            (Some(prompt), None) => Ok(prompt.clone()),
            (None, Some(message)) => Err(TemplateError::Refused(message.clone())),
            _ => panic!("a case has a prompt or an error"),
        };
        assert_eq!(prompt, expected, "{} with {:?}", case.template, case.conversation);
    }
}
