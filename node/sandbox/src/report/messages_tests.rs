//! Messages as cargo of stable wrote them, and as others might.

use proptest::prelude::*;

use super::*;
use crate::report::{Applicability, Level, Origin};

const CHECK: &[u8] = include_bytes!("testdata/check.jsonl");

fn read(output: &[u8]) -> Messages {
    MessageReader::read(Places::default(), output)
}

fn message(level: &str, text: &str) -> String {
    format!(
        r#"{{"reason":"compiler-message","package_id":"path+file:///job/project#a@0.1.0","target":{{"name":"a","kind":["bin"]}},"message":{{"message":"{text}","code":null,"level":"{level}","spans":[],"children":[],"rendered":null}}}}"#
    ) + "\n"
}

fn artifact(id: &str, executable: &str) -> String {
    format!(
        r#"{{"reason":"compiler-artifact","package_id":"{id}","target":{{"name":"a","kind":["bin"]}},"profile":{{"test":false}},"filenames":["{executable}"],"executable":"{executable}","fresh":false}}"#
    ) + "\n"
}

#[test]
fn errors_are_read_with_all_that_belongs_to_them() {
    let messages = read(CHECK);
    assert_eq!(messages.built, Some(false));
    let first = &messages.diagnostics[0];
    assert_eq!((first.level, first.code.as_deref()), (Level::Error, Some("E0425")));
    assert_eq!((first.origin, first.target.as_str()), (Origin::Project, "sample"));
    let span = first.primary().expect("a place");
    assert_eq!(
        (span.file.as_str(), span.line_start, span.column_start, span.column_end),
        ("src/lib.rs", 6, 29, 38)
    );
    assert_eq!(span.label.as_deref(), Some("not found in this scope"));
    assert!(first.rendered.starts_with("error[E0425]"));
}

#[test]
fn suggestions_say_what_to_put_where() {
    let messages = read(CHECK);
    let all = messages.diagnostics.iter().flat_map(|diagnostic| &diagnostic.suggestions);
    let mut sure =
        all.filter(|suggestion| suggestion.applicability == Applicability::MachineApplicable);
    let replacement = &sure.next().expect("an unused import can be removed").replacements[0];
    assert_eq!(
        (replacement.file.as_str(), replacement.byte_start, replacement.replacement.as_str()),
        ("src/lib.rs", 0, "")
    );
}

#[test]
fn trailers_are_known() {
    let messages = read(CHECK);
    assert!(messages.diagnostics.iter().any(gaia_core::build::Diagnostic::is_trailer));
    for text in [
        "aborting due to 2 previous errors; 1 warning emitted",
        "For more information about this error, try `rustc --explain E0308`.",
    ] {
        assert!(read(message("error", text).as_bytes()).diagnostics[0].is_trailer(), "{text}");
    }
    assert!(read(message("warning", "2 warnings emitted").as_bytes()).diagnostics[0].is_trailer());
    assert!(
        !read(message("error", "linking with `cc` failed").as_bytes()).diagnostics[0].is_trailer()
    );
}

#[test]
fn the_same_message_of_a_library_and_its_tests_is_kept_once() {
    let twice = [CHECK, CHECK].concat();
    let kept = read(&twice).diagnostics;
    let with_place =
        |all: &[Diagnostic]| all.iter().filter(|diagnostic| !diagnostic.spans.is_empty()).count();
    assert_eq!(with_place(&kept), with_place(&read(CHECK).diagnostics));
}

#[test]
fn results_of_the_project_are_listed_and_others_counted() {
    let own = artifact("path+file:///job/project#a@0.1.0", "/job/target/debug/a");
    let foreign = artifact("registry+https://x/index#b@1.0.0", "/job/target/debug/b");
    let messages = read((own + &foreign).as_bytes());
    assert_eq!(messages.crates, Compiled { compiled: 2, fresh: 0 });
    assert_eq!(messages.artifacts.len(), 1);
    assert_eq!(messages.artifacts[0].executable.as_deref(), Some("debug/a"));
}

#[test]
fn a_forged_result_names_no_file_outside() {
    let messages = read(artifact("path+file:///job/project#a@0.1.0", "/etc/shadow").as_bytes());
    assert_eq!(messages.artifacts[0].executable, None);
    assert!(messages.artifacts[0].files.is_empty());
}

#[test]
fn what_is_no_message_is_output() {
    let text = "running 1 test\n{\"reason\":1}\n{\"a\":2}\ntest a ... ok";
    assert_eq!(read(text.as_bytes()).output, text);
    assert_eq!(read(b"\xff\n").output, "\u{fffd}\n");
}

#[test]
fn limits_are_counted() {
    let many: String = (0..510).map(|index| message("error", &format!("e{index}"))).collect();
    let messages = read(many.as_bytes());
    assert_eq!((messages.diagnostics.len(), messages.cut.diagnostics), (500, 10));
    let long = [vec![b'x'; LINE_BYTES_MAX + 1], b"\nshort\n".to_vec()].concat();
    let messages = read(&long);
    assert_eq!((messages.output.as_str(), messages.cut.long_lines), ("short\n", 1));
    assert_eq!(messages.cut.output_bytes, LINE_BYTES_MAX + 2);
    let much = "y\n".repeat(OUTPUT_BYTES_MAX);
    let messages = read(much.as_bytes());
    assert_eq!(
        (messages.output.len(), messages.cut.output_bytes),
        (OUTPUT_BYTES_MAX, OUTPUT_BYTES_MAX)
    );
}

#[test]
fn nesting_is_no_message() {
    let deep = format!("{{\"reason\":\"compiler-message\",\"x\":{}\n", "[".repeat(100_000));
    assert!(read(deep.as_bytes()).diagnostics.is_empty());
}

#[test]
fn names_of_fields_are_stable() {
    let value = serde_json::to_value(&read(CHECK).diagnostics[0]).expect("JSON");
    let names: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "level",
            "code",
            "message",
            "origin",
            "package",
            "target",
            "spans",
            "children",
            "suggestions",
            "rendered"
        ]
    );
    assert_eq!(value["level"], "error");
    assert_eq!(value["spans"][0]["origin"], "project");
}

proptest! {
    #[test]
    fn pieces_make_the_same_whole(cuts in prop::collection::vec(1..2000_usize, 1..40)) {
        let mut reader = MessageReader::new(Places::default());
        let mut rest = CHECK;
        for cut in cuts.into_iter().cycle().take(2000) {
            let (piece, other) = rest.split_at(cut.min(rest.len()));
            reader.push(piece);
            rest = other;
        }
        reader.push(rest);
        prop_assert_eq!(reader.finish(), read(CHECK));
    }

    #[test]
    fn damaged_messages_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..10)) {
        let mut bytes = CHECK.to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        read(&bytes);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes);
    }
}
