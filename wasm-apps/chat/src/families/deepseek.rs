use super::{Family, Meaning};

/// DeepSeek R1 and V3: a name and an object between marks, the object in a fence or not.
pub(super) const DEEPSEEK: Family = Family {
    name: "deepseek",
    is_of: |template| template.contains("<｜tool▁call▁begin｜>"),
    marks: &[
        ("<think>", Meaning::Think),
        ("</think>", Meaning::Speak),
        ("<｜tool▁calls▁begin｜>", Meaning::Nothing),
        ("<｜tool▁call▁begin｜>", Meaning::Call { close: Some("<｜tool▁call▁end｜>") }),
        ("<｜tool▁calls▁end｜>", Meaning::Nothing),
    ],
    bare_calls: false,
    lists_calls: false,
    call_form: ["<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>"],
};
