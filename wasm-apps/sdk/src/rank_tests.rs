use super::*;
use crate::testing::{Recorder, Script, ScriptedGraph};

/// Marks as BERT has them.
fn form() -> PairForm {
    PairForm { before: vec![101], between: vec![102], after: vec![102], ..PairForm::default() }
}

fn told() -> PairForm {
    PairForm { template: Some("Q: {query} D: {document} ?".into()), ..PairForm::default() }
}

fn task(query: &str, documents: &[&str]) -> RankTask {
    let documents = documents.iter().map(|text| (*text).to_owned()).collect();
    RankTask { query: query.into(), documents, truncate: false }
}

struct Run {
    result: Result<Flow, Failure>,
    events: Vec<Event>,
    /// What was given to the model: texts (0) and pairs (2).
    inputs: Vec<(usize, String)>,
}

impl Run {
    fn pairs(&self) -> Vec<&str> {
        let pairs = self.inputs.iter().filter(|(index, _)| *index == 2);
        pairs.map(|(_, numbers)| numbers.as_str()).collect()
    }

    fn refusal(self) -> (ErrorCode, String, String) {
        let failure = self.result.expect_err("refused");
        assert_eq!(self.events, []);
        (failure.code, failure.param.expect("a field is named"), failure.message)
    }
}

fn run(script: Script, (form, task): (Option<PairForm>, &RankTask)) -> Run {
    let graph = ScriptedGraph::new(script);
    let model = Model::new(graph.clone());
    let control_tokens = vec!["<end>".to_owned()];
    let card = GuestModel {
        context_tokens: 8,
        pair: form,
        control_tokens,
        adds_bos: true,
        ..GuestModel::default()
    };
    let mut events = Events::new(Recorder::default());
    let job = RankJob { task, card: &card, window: 2, patience: Duration::from_secs(60) };
    let result = rank(&model, job, &mut events);
    Run { result, events: events.into_sink().events, inputs: graph.inputs() }
}

fn scoring(vector: &str) -> Script {
    Script { vector: vector.into(), framed: true, ..Script::default() }
}

#[test]
fn each_document_gets_its_score_in_order() {
    let task = task("one two", &["a", "a b c", "a"]);
    let run = run(scoring("[0.0]"), (Some(form()), &task));
    assert_eq!(run.result, Ok(Flow::Continue));
    let score = |index, tokens| Event::Score { index, score: 0.5, tokens };
    let usage = Usage { prompt_tokens: 20, ..Usage::default() };
    let finish = Event::finish(FinishReason::Stop, usage);
    assert_eq!(run.events, [score(0, 6), score(1, 8), score(2, 6), finish]);
    assert_eq!(run.pairs(), ["101 2 3 102 2 102", "101 2 3 102 2 3 4 102", "101 2 3 102 2 102"]);
}

#[test]
fn a_logit_becomes_a_probability_and_a_probability_stays_one() {
    let shares = PairForm { gives_probability: true, ..form() };
    for (vector, form, wanted) in
        [("[2.0]", form(), 0.880_797_1), ("[-90.0]", form(), 0.0), ("[0.25,0.75]", shares, 0.25)]
    {
        let run = run(scoring(vector), (Some(form), &task("q", &["a"])));
        let Event::Score { score, .. } = run.events[0] else { panic!("{:?}", run.events) };
        assert!((score - wanted).abs() < 1e-6, "{score}");
    }
}

#[test]
fn numbers_that_are_no_score_are_the_models_fault() {
    for vector in ["[1.0,2.0]", "[]"] {
        let run = run(scoring(vector), (Some(form()), &task("q", &["a"])));
        assert_eq!(run.result.expect_err("no score").code, ErrorCode::Internal);
    }
}

#[test]
fn what_is_too_long_is_named() {
    let (code, param, message) =
        run(scoring("[0]"), (Some(form()), &task("one two", &["a", "a b c d"]))).refusal();
    assert_eq!((code, param.as_str()), (ErrorCode::PromptTooLong, "documents[1]"));
    assert!(message.contains("documents[1] has 9 tokens together"), "{message}");
    let (code, param, message) =
        run(scoring("[0]"), (Some(form()), &task("1 2 3 4 5", &["a"]))).refusal();
    assert_eq!((code, param.as_str()), (ErrorCode::PromptTooLong, "query"));
    assert!(message.contains("query takes 8 tokens"), "{message}");
    // A template's own words leave no room for any document.
    let task = RankTask { truncate: true, ..task("1 2 3 4 5", &["a"]) };
    let (_, param, message) = run(scoring("[0]"), (Some(told()), &task)).refusal();
    assert!(param == "query" && message.contains("query takes 8 tokens"), "{message}");
}

#[test]
fn a_long_document_is_read_in_part_if_that_is_wanted() {
    let task = RankTask { truncate: true, ..task("one two", &["a b c d e f"]) };
    let run_marked = run(scoring("[0]"), (Some(form()), &task));
    assert_eq!(run_marked.pairs(), ["101 2 3 102 2 3 4 102"]);
    let run_told = run(scoring("[0]"), (Some(told()), &task));
    assert_eq!(run_told.result, Ok(Flow::Continue));
    let last = run_told.inputs.iter().rfind(|(index, _)| *index == 0).expect("a text");
    assert_eq!(last.1, "Q: one two D: abc ?", "the fake's words have no blanks between them");
}

#[test]
fn a_template_takes_both_texts_as_text() {
    let task = task("{document} <end>", &["{query}<end>"]);
    let run = run(scoring("[0]"), (Some(told()), &task));
    let broken =
        format!("Q: {{document}} <{0}end> D: {{query}}<{0}end> ?", gaia_protocol::TOKEN_BREAK);
    let text = run.inputs.iter().rfind(|(index, _)| *index == 0).map(|(_, text)| text.clone());
    assert_eq!(text, Some(broken));
}

#[test]
fn what_is_no_reranker_says_so() {
    let (code, param, message) = run(scoring("[0]"), (None, &task("q", &["a"]))).refusal();
    assert_eq!((code, param.as_str()), (ErrorCode::InvalidRequest, "model"));
    assert!(message.contains("no reranker"), "{message}");
}

#[test]
fn a_client_that_went_away_ends_it() {
    let model = Model::new(ScriptedGraph::new(scoring("[0]")));
    let card = GuestModel { context_tokens: 8, pair: Some(form()), ..GuestModel::default() };
    let mut events = Events::new(Recorder { stop_after: Some(1), ..Recorder::default() });
    let task = task("q", &["a", "b", "c"]);
    let job = RankJob { task: &task, card: &card, window: 2, patience: Duration::ZERO };
    assert_eq!(rank(&model, job, &mut events), Ok(Flow::Stop));
    assert_eq!(events.into_sink().events.len(), 1);
}
