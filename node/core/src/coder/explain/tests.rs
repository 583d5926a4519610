//! Who is asked, and what is said where nobody answers.

use std::sync::Arc;

use gaia_protocol::{Event, FinishReason, Task, Usage};
use serde_json::json;

use super::*;
use crate::build::{BuildReport, Files, Level, Verdict};
use crate::coder::samples::{coder, finding, report};
use crate::fakes::{FakeBuilder, FakeKnowledge, FakeModel, block_on, node_of};
use crate::knowledge::{CollectionSpec, KnowledgeError, Point, PointId};
use crate::{Admission, Models};

fn no_models() -> Node {
    Node { models: Models::new(vec![]), admission: Admission::new(4), knowledge: None }
}

/// A chat model that is ready, and a knowledge base whose words are found without an embedder.
fn speaking(text: &str) -> (Node, Arc<FakeModel>) {
    let end = Event::finish(FinishReason::Stop, Usage::default());
    let script = vec![Ok(Event::text(text, 1)), Ok(end)];
    node_of(FakeModel::new("m", ModelKind::Chat).answering(script).counting(5))
}

fn said(text: &str) -> Explain {
    let subject = Subject::Said(Asked { code: None, text: text.into() });
    Explain { subject, ..Explain::default() }
}

fn asking(question: &str) -> Explain {
    Explain { question: Some(question.into()), ..Explain::default() }
}

fn explained(node: Node, request: Explain) -> Result<Explained, CoderError> {
    block_on(explain(&coder(node, FakeBuilder::saying(vec![])), request))
}

#[test]
fn nothing_to_explain_is_refused() {
    for request in [Explain::default(), asking(" \n")] {
        let Err(CoderError::Invalid { param, .. }) = explained(no_models(), request) else {
            panic!("it is refused");
        };
        assert_eq!(param.as_deref(), Some("code"));
    }
}

#[test]
fn a_model_or_collection_that_was_asked_for_and_is_not_there_is_an_error() {
    let named = Explain { model: Some("none".into()), ..said("E0502") };
    let error = explained(no_models(), named).err().expect("refused");
    assert!(matches!(error, CoderError::Serve(ServeError::UnknownModel { .. })));
    let collections = vec!["none".to_owned()];
    let knowledge = FakeKnowledge::default();
    let node = Node { knowledge: Some(Arc::new(knowledge)), ..no_models() };
    let error = explained(node, Explain { collections, ..said("E0502") }).err().expect("refused");
    let CoderError::Serve(ServeError::Knowledge(error)) = error else { panic!("{error}") };
    assert!(matches!(error, KnowledgeError::UnknownCollection { .. }));
}

#[test]
fn without_a_model_the_compilers_own_words_are_the_answer_and_it_says_so() {
    let explained = explained(no_models(), said("error[E0502]: cannot borrow")).expect("known");
    assert!(explained.answers.is_none());
    assert!(explained.text.contains("It is borrowed already."), "{}", explained.text);
    assert_eq!(explained.codes, ["E0502"]);
    assert!(explained.notes.iter().any(|note| note.contains("no knowledge base")));
    assert!(explained.notes.iter().any(|note| note.contains("no model")));
}

#[test]
fn a_model_that_is_not_ready_is_done_without_unless_it_was_named() {
    let (node, model) = speaking("x");
    model.set_status(crate::ModelStatus::Unloaded);
    let plain = explained(node.clone(), said("E0502")).expect("known");
    assert!(plain.answers.is_none() && plain.text.contains("borrowed already"));
    let named = Explain { model: Some("m".into()), ..said("E0502") };
    assert!(explained(node, named).is_err());
}

#[test]
fn passages_of_the_rust_collection_are_found_and_cited() {
    let payload = json!({"source": "what a borrow is", "document": "book.md"});
    let payload = payload.as_object().cloned().expect("an object");
    let point = Point { id: PointId::Number(1), vector: vec![1.0], payload };
    let spec = CollectionSpec { dimension: 1, ..CollectionSpec::default() };
    let knowledge = FakeKnowledge::holding(RUST_COLLECTION, spec, vec![point]);
    let embed = Event::Embedding { index: 0, vector: vec![1.0], tokens: 1 };
    let end = Event::finish(FinishReason::Stop, Usage::default());
    let embedder = FakeModel::new("e", ModelKind::Embedding).answering(vec![Ok(embed), Ok(end)]);
    let (node, _) = node_of(embedder);
    let node = Node { knowledge: Some(Arc::new(knowledge)), ..node };
    let explained = explained(node, asking("what is a borrow")).expect("known");
    assert_eq!(explained.citations.len(), 1, "{:?}", explained.notes);
    assert!(explained.text.contains("[1] book.md\n\nwhat a borrow is"), "{}", explained.text);
}

#[test]
fn a_model_is_told_what_the_compiler_said() {
    let (node, model) = speaking("Because.");
    let files = Files::from([("src/main.rs".to_owned(), "fn main() { x }".to_owned())]);
    let diagnostics = vec![finding(Level::Error, "E0425")];
    let report = BuildReport { diagnostics, ..report(Verdict::CompileError) };
    let request = Explain {
        subject: Subject::Project(files),
        question: Some("Why?".into()),
        ..Explain::default()
    };
    let coder = coder(node, FakeBuilder::saying(vec![Ok(report)]));
    let mut explained = block_on(explain(&coder, request)).expect("known");
    assert_eq!(explained.lines, ["src/main.rs:2: error[E0425]: E0425 happened"]);
    let mut answers = explained.answers.take().expect("a model speaks");
    let first = block_on(answers.next()).expect("an event").expect("good");
    assert!(matches!(first, (0, Event::Delta { .. })));
    let Some(Task::Chat(task)) = model.tasks().pop() else { panic!("it was asked") };
    let told = &task.messages.last().expect("a question").content;
    for part in ["fn main() { x }", "error[E0425]", "Why?"] {
        assert!(told.contains(part), "{told}");
    }
}
