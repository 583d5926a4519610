//! The two JSON texts that the GGML encoding gives back, spelled as the stock plugin spells them.

use std::fmt::Write;

use super::model::Facts;

/// `get_output(1)`.
pub(super) fn metadata(facts: &Facts, input_tokens: usize, output_tokens: usize) -> Vec<u8> {
    let commit = serde_json::Value::from(facts.commit.as_str());
    format!(
        "{{\"input_tokens\": {input_tokens}, \"output_tokens\": {output_tokens}, \
         \"llama_build_number\": {}, \"llama_commit\": {commit}}}",
        facts.build_number
    )
    .into_bytes()
}

/// `get_output(0)` of an embedding; `None` if a value is not finite, which JSON can't say.
pub(super) fn embedding(vector: &[f32]) -> Option<Vec<u8>> {
    let mut text = format!("{{\"n_embedding\": {}, \"embedding\": [", vector.len());
    for (index, value) in vector.iter().enumerate() {
        if !value.is_finite() {
            return None;
        }
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}{value:.10}").expect("writing to a string can't fail");
    }
    text.push_str("]}");
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_json_with_the_four_fields() {
        let facts = Facts { build_number: 42, commit: "ab\"c".into(), ..Facts::default() };
        let value: serde_json::Value =
            serde_json::from_slice(&metadata(&facts, 3, 5)).expect("JSON");
        assert_eq!(
            value,
            serde_json::json!({"input_tokens": 3, "output_tokens": 5,
                "llama_build_number": 42, "llama_commit": "ab\"c"})
        );
    }

    #[test]
    fn an_embedding_keeps_ten_decimals() {
        let text = embedding(&[0.5, -0.25, 0.1]).expect("finite");
        assert_eq!(
            String::from_utf8(text).expect("ASCII"),
            r#"{"n_embedding": 3, "embedding": [0.5000000000,-0.2500000000,0.1000000015]}"#
        );
        assert_eq!(embedding(&[f32::NAN]), None);
    }
}
