use super::{Family, Meaning};

/// Llama 3.1 to 3.3: a bare object with `parameters`, or one behind `<|python_tag|>`.
pub(super) const LLAMA: Family = Family {
    name: "llama",
    is_of: |template| template.contains("<|start_header_id|>") && template.contains("tools"),
    marks: &[("<|python_tag|>", Meaning::Call { close: None })],
    bare_calls: true,
    lists_calls: false,
    call_form: ["{\"name\": \"", "\", \"parameters\": ", "}"],
};
