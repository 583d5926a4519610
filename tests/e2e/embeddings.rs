//! `/v1/embeddings` against reference vectors of the same model.

use gaia_tests::{Node, NodeOptions};
use serde_json::{Value, json};

fn embed(node: &Node, input: &Value) -> Vec<Vec<f64>> {
    let request = json!({"model": "embed", "input": input, "encoding_format": "float"});
    let response = node.client().post("/v1/embeddings", &request);
    assert_eq!(response.status, 200, "{}", response.body);
    let answer = response.json();
    assert!(answer["usage"]["prompt_tokens"].as_u64().expect("a number") > 0);
    let data = answer["data"].as_array().expect("data").iter().enumerate();
    data.map(|(index, row)| {
        assert_eq!(row["index"], index);
        vector(&row["embedding"])
    })
    .collect()
}

fn vector(value: &Value) -> Vec<f64> {
    let numbers = value.as_array().expect("an array of numbers");
    numbers.iter().map(|number| number.as_f64().expect("a number")).collect()
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn vectors_equal_the_reference_and_know_what_is_alike() {
    let node = Node::start(&NodeOptions::default());
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/minilm-reference.json");
    let reference: Value =
        serde_json::from_str(&std::fs::read_to_string(file).expect("the reference")).expect("JSON");
    for row in reference["entries"].as_array().expect("rows") {
        let ours = embed(&node, &row["text"]);
        let similarity = cosine(&ours[0], &vector(&row["embedding"]));
        assert!(similarity >= 0.999, "{similarity} for {}", row["text"]);
    }
    let texts =
        json!(["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose."]);
    let [cat, kitten, rates]: [Vec<f64>; 3] = embed(&node, &texts).try_into().expect("three");
    assert!(cosine(&cat, &kitten) > cosine(&cat, &rates) + 0.2);
}

#[test]
fn two_hundred_and_fifty_six_texts_come_back_in_order() {
    let node = Node::start(&NodeOptions::default());
    let texts: Vec<String> =
        (0..256).map(|i| format!("Sentence number {i} about topic {}.", i % 7)).collect();
    let together = embed(&node, &json!(texts));
    assert_eq!(together.len(), 256);
    for index in [0, 100, 255] {
        let alone = embed(&node, &json!(texts[index]));
        assert!(cosine(&alone[0], &together[index]) > 0.999);
    }
}

#[test]
fn bad_inputs_are_named() {
    let node = Node::start(&NodeOptions::default());
    let long = "word ".repeat(5000);
    for input in [json!([]), json!(""), json!(["fine", ""]), json!(7), json!([[1.5]]), json!(long)]
    {
        let refused =
            node.client().post("/v1/embeddings", &json!({"model": "embed", "input": input}));
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert_eq!(refused.json()["error"]["param"], "input", "{}", refused.body);
    }
}
