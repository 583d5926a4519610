use super::{Family, Meaning};

const CALL: Meaning = Meaning::Call { close: Some("<|call|>") };

/// gpt-oss: channels for thoughts, calls and the answer.
pub(super) const HARMONY: Family = Family {
    name: "harmony",
    is_of: |template| template.contains("<|channel|>"),
    marks: &[
        ("<|channel|>analysis<|message|>", Meaning::Think),
        ("<|channel|>final<|message|>", Meaning::Speak),
        ("<|channel|>commentary<|message|>", Meaning::Speak),
        ("<|channel|>commentary to=", CALL),
        ("<|channel|>analysis to=", CALL),
        // Behind the role, which the prompt may have written.
        (" to=functions.", CALL),
        ("<|channel|>final <|constrain|>json<|message|>", Meaning::Speak),
        ("<|start|>assistant", Meaning::Nothing),
        ("<|end|>", Meaning::Nothing),
        ("<|return|>", Meaning::Nothing),
    ],
    bare_calls: false,
    lists_calls: false,
    call_form: ["<|channel|>commentary to=functions.", " <|constrain|>json<|message|>", ""],
};
