//! Answers that must have a form: function calls, schemas, probabilities, tokens.

use gaia_tests::{Client, Node, NodeOptions};
use serde_json::{Value, json};

fn post(client: &Client, path: &str, body: &Value) -> Value {
    let response = client.post(path, body);
    assert_eq!(response.status, 200, "{}", response.body);
    response.json()
}

fn question(text: &str, extra: Value) -> Value {
    let mut request = json!({"model": "chat", "temperature": 0, "max_tokens": 120,
        "messages": [{"role": "user", "content": text}]});
    let fields = extra.as_object().expect("extra fields").clone();
    request.as_object_mut().expect("an object").extend(fields);
    request
}

/// One node for all that leaves nothing behind which the next would notice.
#[test]
fn forms_are_kept() {
    let node = Node::start(&NodeOptions::default());
    what_can_not_be_obeyed_is_refused_by_keyword(&node);
    a_demanded_call_is_made_and_its_arguments_obey_their_schema(&node);
    a_streamed_call_comes_in_pieces_with_one_id(&node);
    an_answer_of_a_function_goes_back_to_the_model(&node);
    a_schema_is_obeyed_by_many_at_once(&node);
    probabilities_and_the_prompt_come_along_if_asked_for(&node);
    tokens_and_text_turn_into_each_other(&node);
    two_tenants_with_one_beginning_never_hear_each_other(&node);
}

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "weather", "description": "Weather of a city",
        "parameters": {"type": "object", "additionalProperties": false, "required": ["city", "days"],
            "properties": {"city": {"type": "string", "maxLength": 16},
                "days": {"type": "integer", "minimum": 1, "maximum": 7}}}}})
}

fn check_arguments(text: &str) {
    let arguments: Value = serde_json::from_str(text).expect("arguments are JSON");
    assert!(arguments["city"].is_string(), "{arguments}");
    assert!((1..=7).contains(&arguments["days"].as_i64().expect("a number")), "{arguments}");
}

fn what_can_not_be_obeyed_is_refused_by_keyword(node: &Node) {
    let schema = |schema: Value| {
        json!({"response_format": {"type": "json_schema",
            "json_schema": {"name": "x", "schema": schema}}})
    };
    for (extra, param, words) in [
        (schema(json!({"type": "object", "not": {}})), "response_format", "not"),
        (
            schema(json!({"type": "integer", "minimum": 3, "maximum": 1})),
            "response_format",
            "minimum",
        ),
        (json!({"grammar": "root ::= nowhere"}), "response_format", "nowhere"),
    ] {
        let response = node.client().post("/v1/chat/completions", &question("Hi", extra));
        let error = &response.json()["error"];
        assert_eq!(response.status, 400, "{error}");
        assert_eq!(error["param"], param, "{error}");
        assert!(error["message"].as_str().expect("a text").contains(words), "{error}");
    }
}

fn a_demanded_call_is_made_and_its_arguments_obey_their_schema(node: &Node) {
    let demands = [json!("required"), json!({"type": "function", "function": {"name": "weather"}})];
    for choice in demands {
        let extra =
            json!({"tools": [weather()], "tool_choice": choice, "parallel_tool_calls": false});
        let request = question("What will the weather be in Rome?", extra);
        let answer = post(&node.client(), "/v1/chat/completions", &request);
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
        assert_eq!(choice["message"]["content"], Value::Null);
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!(call["function"]["name"], "weather");
        assert!(call["id"].as_str().expect("an id").starts_with("call_"));
        check_arguments(call["function"]["arguments"].as_str().expect("a text"));
    }
}

fn a_streamed_call_comes_in_pieces_with_one_id(node: &Node) {
    let extra = json!({"tools": [weather()], "tool_choice": "required", "stream": true,
        "parallel_tool_calls": false});
    let request = question("What will the weather be in Rome?", extra);
    let stream = node.client().stream("/v1/chat/completions", &request);
    let (_, events) = stream.expect("a stream").collect();
    let deltas =
        events.iter().filter_map(|event| event["choices"][0]["delta"]["tool_calls"].get(0));
    let deltas: Vec<&Value> = deltas.collect();
    assert!(deltas.len() > 3, "{deltas:?}");
    assert_eq!(deltas[0]["function"]["name"], "weather");
    assert_eq!(deltas.iter().filter(|delta| !delta["id"].is_null()).count(), 1);
    let pieces = deltas.iter().map(|delta| delta["function"]["arguments"].as_str().expect("text"));
    check_arguments(&pieces.collect::<String>());
}

fn an_answer_of_a_function_goes_back_to_the_model(node: &Node) {
    let call = json!({"id": "call_1", "type": "function",
        "function": {"name": "weather", "arguments": "{\"city\": \"Rome\", \"days\": 1}"}});
    let messages = json!([
        {"role": "user", "content": "Weather in Rome?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Sunny, 31 degrees."},
    ]);
    let extra = json!({"tools": [weather()], "tool_choice": "none", "messages": messages});
    let answer = post(&node.client(), "/v1/chat/completions", &question("", extra));
    assert_ne!(answer["choices"][0]["finish_reason"], "tool_calls", "{answer}");
    assert!(answer["choices"][0]["message"]["content"].is_string());
}

fn a_schema_is_obeyed_by_many_at_once(node: &Node) {
    let schema = json!({"type": "object", "additionalProperties": false,
        "required": ["name", "age", "kind"], "$defs": {"kind": {"enum": ["cat", "dog"]}},
        "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer",
            "minimum": 0, "maximum": 30}, "kind": {"$ref": "#/$defs/kind"}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "pet", "strict": true,
        "schema": schema}});
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let (client, format) = (node.client(), format.clone());
            std::thread::spawn(move || {
                let extra = json!({"response_format": format, "temperature": 1, "seed": number});
                post(&client, "/v1/chat/completions", &question("Invent a pet.", extra))
            })
        })
        .collect();
    for thread in threads {
        let answer = thread.join().expect("an answer");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop", "{answer}");
        let text = answer["choices"][0]["message"]["content"].as_str().expect("a text");
        let pet: Value = serde_json::from_str(text).expect("JSON");
        let keys: Vec<&String> = pet.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["name", "age", "kind"]);
        assert!(pet["kind"] == "cat" || pet["kind"] == "dog", "{pet}");
    }
}

#[test]
fn choices_share_their_prompt_and_a_second_question_finds_it_computed() {
    let node = Node::start(&NodeOptions::default());
    let text = format!("{} Tell me a word.", "Think of nothing in particular. ".repeat(12));
    let computed = || node.metric("gaia_prompt_tokens_total", "chat");
    let extra = json!({"n": 3, "temperature": 1, "seed": 5, "max_tokens": 4});
    let answer = post(&node.client(), "/v1/chat/completions", &question(&text, extra));
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(3), "{answer}");
    let prompt_tokens = answer["usage"]["prompt_tokens"].as_f64().expect("a number");
    assert!(computed() < prompt_tokens * 1.5, "{} of {prompt_tokens}", computed());
    let again =
        post(&node.client(), "/v1/chat/completions", &question(&text, json!({"max_tokens": 2})));
    let cached = again["usage"]["prompt_tokens_details"]["cached_tokens"].as_f64();
    assert_eq!(cached, Some(prompt_tokens - 1.0), "{again}");
}

fn probabilities_and_the_prompt_come_along_if_asked_for(node: &Node) {
    let extra = json!({"logprobs": true, "top_logprobs": 2, "max_tokens": 5});
    let answer = post(&node.client(), "/v1/chat/completions", &question("Say hello.", extra));
    let tokens = answer["choices"][0]["logprobs"]["content"].as_array().expect("a list");
    let said: String = tokens.iter().map(|token| token["token"].as_str().expect("text")).collect();
    assert_eq!(answer["choices"][0]["message"]["content"], said);
    assert!(tokens.iter().all(|token| token["top_logprobs"].as_array().map(Vec::len) == Some(2)));
    let request = json!({"model": "chat", "prompt": "The capital of France is", "echo": true,
        "logprobs": 1, "max_tokens": 1, "temperature": 0});
    let answer = post(&node.client(), "/v1/completions", &request);
    let choice = &answer["choices"][0];
    assert!(choice["text"].as_str().expect("a text").starts_with("The capital of France is"));
    assert_eq!(choice["logprobs"]["tokens"].as_array().map(Vec::len), Some(6), "{choice}");
    assert_eq!(choice["logprobs"]["token_logprobs"][0], Value::Null);
}

fn tokens_and_text_turn_into_each_other(node: &Node) {
    let text = "Grüße, 漢字 and <|im_end|> 🦀";
    for model in ["chat", "embed"] {
        let request = json!({"model": model, "content": text, "parse_special": false});
        let tokens = post(&node.client(), "/tokenize", &request)["tokens"].clone();
        assert!(tokens.as_array().expect("a list").len() > 8, "{tokens}");
        if model == "chat" {
            let request = json!({"model": model, "tokens": tokens});
            assert_eq!(post(&node.client(), "/detokenize", &request)["content"], text);
            let request = json!({"model": model, "prompt": tokens, "max_tokens": 1});
            let usage = post(&node.client(), "/v1/completions", &request)["usage"].clone();
            assert_eq!(usage["prompt_tokens"], tokens.as_array().expect("a list").len());
        }
    }
    let response =
        node.client().post("/detokenize", &json!({"model": "chat", "tokens": [99_999_999]}));
    assert_eq!(response.status, 400, "{}", response.body);
}

fn two_tenants_with_one_beginning_never_hear_each_other(node: &Node) {
    let shared = "You keep the secrets of your users and answer briefly. ".repeat(10);
    let ask = |secret: &str| {
        let messages = json!([
            {"role": "system", "content": shared},
            {"role": "user", "content": format!("My secret word is {secret}. Repeat my secret word.")},
        ]);
        question("", json!({"messages": messages, "max_tokens": 16}))
    };
    let secrets = ["marzipan", "zeppelin", "ocelot", "umbrella"];
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let (client, secret) = (node.client(), secrets[number % 4]);
            let request = ask(secret);
            std::thread::spawn(move || (secret, post(&client, "/v1/chat/completions", &request)))
        })
        .collect();
    for thread in threads {
        let (own, answer) = thread.join().expect("an answer");
        let text = answer["choices"][0]["message"]["content"].as_str().expect("a text");
        let foreign = secrets.iter().find(|secret| **secret != own && text.contains(**secret));
        assert_eq!(foreign, None, "{own}: {text}");
    }
}
