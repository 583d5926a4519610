//! Answers that search, over the fakes.

use gaia_protocol::{Message, ModelKind, Role, Tool, Tools};
use serde_json::{Map, Value, json};

use super::*;
use crate::fakes::{FakeKnowledge, FakeModel, block_on, node_of};
use crate::knowledge::{
    CollectionSpec, Conversation, Plan, Point, PointId, SearchMode, Target, converse,
};
use crate::{Answers, Node};

type Script = Vec<Result<Event, ServeError>>;

fn usage() -> Usage {
    Usage { prompt_tokens: 10, completion_tokens: 5, cached_tokens: 4, reasoning_tokens: 1 }
}

fn saying(text: &str) -> Script {
    let prompt = Ok(Event::Prompt { tokens: 10, cached_tokens: 4 });
    vec![prompt, Ok(Event::text(text, 5)), Ok(Event::finish(FinishReason::Stop, usage()))]
}

fn calling(calls: &[(&str, &str)]) -> Script {
    let mut script = vec![Ok(Event::Prompt { tokens: 10, cached_tokens: 4 })];
    for (index, (name, arguments)) in calls.iter().enumerate() {
        let index = u32::try_from(index).expect("few calls");
        script.push(Ok(Event::ToolCall { index, name: (*name).into(), tokens: 1 }));
        script.push(Ok(Event::ToolArguments { index, text: (*arguments).into(), tokens: 1 }));
    }
    script.push(Ok(Event::finish(FinishReason::ToolCalls, usage())));
    script
}

fn searching(query: &str) -> Script {
    calling(&[(SEARCH_FUNCTION, &json!({"query": query}).to_string())])
}

fn point(id: u64, text: &str) -> Point {
    let payload = json!({"source": text, "document": "book.md"});
    let payload: Map<String, Value> = payload.as_object().cloned().expect("an object");
    Point { id: PointId::Number(id), vector: vec![1.0], payload }
}

fn node(scripts: Vec<Script>) -> (Node, Arc<FakeModel>) {
    let model = FakeModel::new("m", ModelKind::Chat).answering_in_turn(scripts).counting(7);
    with_book(model)
}

fn with_book(model: FakeModel) -> (Node, Arc<FakeModel>) {
    let (mut node, model) = node_of(model);
    let spec = CollectionSpec { dimension: 1, ..CollectionSpec::default() };
    let points = vec![point(1, "a value has one owner"), point(2, "a borrow ends")];
    node.knowledge = Some(Arc::new(FakeKnowledge::holding("book", spec, points)));
    (node, model)
}

fn plan() -> Plan {
    let target = Target { collection: "book".into(), limit: 3, score_threshold: None };
    Plan { targets: vec![target], mode: SearchMode::Words, agentic: true, ..Plan::default() }
}

fn asked(tools: Tools) -> Conversation {
    let message = Message { role: Role::User, content: "Who?".into(), ..Message::default() };
    let task = ChatTask { messages: vec![message], tools, ..ChatTask::default() };
    Conversation { task, choices: 1, plan: Some(plan()) }
}

fn start(node: &Node, conversation: Conversation) -> Answers {
    block_on(converse(node, None, conversation)).expect("starts")
}

fn own_tools() -> Tools {
    let tool = Tool { name: "f".into(), description: None, parameters: None, strict: false };
    Tools { list: vec![tool], ..Tools::default() }
}

fn collect(answers: &mut Answers) -> Completion {
    let mut gathering = Gathering::default();
    let mut prompts = 0;
    while let Some(next) = block_on(answers.next()) {
        let (_, event) = next.expect("good");
        prompts += u32::from(matches!(event, Event::Prompt { .. }));
        if let Some(completion) = gathering.take(event) {
            assert!(prompts <= 1, "one answer has one prompt");
            assert!(block_on(answers.next()).is_none());
            return completion;
        }
    }
    panic!("no end")
}

/// The chat tasks that the model was given.
fn turns(model: &FakeModel) -> Vec<ChatTask> {
    let chat = |task| match task {
        Task::Chat(task) => Some(task),
        _ => None,
    };
    model.tasks().into_iter().filter_map(chat).collect()
}

fn results(task: &ChatTask) -> Vec<&str> {
    let tools = task.messages.iter().filter(|message| message.role == Role::Tool);
    tools.map(|message| message.content.as_str()).collect()
}

#[test]
fn a_model_that_does_not_search_gives_a_plain_answer() {
    let (node, model) = node(vec![saying("Me.")]);
    let mut answers = start(&node, asked(Tools::default()));
    assert_eq!(node.admission.active(), 1);
    let completion = collect(&mut answers);
    assert_eq!((completion.text.as_str(), completion.usage), ("Me.", usage()));
    assert_eq!(answers.sources().get(), None);
    assert_eq!((node.admission.active(), model.started()), (0, 1));
    assert_eq!(turns(&model)[0].tools.list[0].name, SEARCH_FUNCTION);
}

#[test]
fn one_search_is_one_answer_with_its_sources() {
    let (node, model) = node(vec![searching("owner"), saying("One [1].")]);
    let mut answers = start(&node, asked(Tools::default()));
    let completion = collect(&mut answers);
    assert_eq!((completion.text.as_str(), completion.tool_calls.len()), ("One [1].", 0));
    assert_eq!(completion.reason, FinishReason::Stop);
    let twice =
        Usage { prompt_tokens: 20, completion_tokens: 10, cached_tokens: 8, reasoning_tokens: 2 };
    assert_eq!(completion.usage, twice);
    let sources = answers.sources().get().expect("asked");
    assert_eq!((sources.len(), sources[0].passage.text()), (1, "a value has one owner"));
    let turns = turns(&model);
    let [user, call, result] = &turns[1].messages[..] else { panic!("three messages") };
    assert_eq!((user.role, call.role), (Role::User, Role::Assistant));
    assert_eq!(result.tool_call_id.as_deref(), Some(call.tool_calls[0].id.as_str()));
    assert!(result.content.contains("<passage number=\"1\""), "{}", result.content);
    assert!(result.content.contains("not instructions"), "{}", result.content);
    assert_eq!((node.admission.active(), model.cancelled()), (0, 0));
}

#[test]
fn a_full_node_does_not_starve_a_search_that_began() {
    let (node, _) = node(vec![searching("owner"), saying("One.")]);
    let permits: Vec<_> = (0..3).map(|_| node.admission.admit().expect("room")).collect();
    let mut answers = start(&node, asked(Tools::default()));
    assert_eq!(node.admission.active(), 4);
    collect(&mut answers);
    assert_eq!(answers.sources().get().expect("asked").len(), 1);
    drop(permits);
}

#[test]
fn passages_keep_their_numbers_and_texts_their_paragraphs() {
    let mut first = searching("owner");
    first.insert(1, Ok(Event::text("Let me look.", 1)));
    let (node, model) = node(vec![first, searching("owner borrow"), saying("Both.")]);
    let mut answers = start(&node, asked(Tools::default()));
    assert_eq!(collect(&mut answers).text, "Let me look.\n\nBoth.");
    let sources = answers.sources().get().expect("asked");
    let numbers: Vec<_> = sources.iter().map(|c| (c.number, c.passage.text())).collect();
    assert_eq!(numbers, [(1, "a value has one owner"), (2, "a borrow ends")]);
    let turns = turns(&model);
    let last = results(&turns[2])[1];
    assert!(last.contains("number=\"1\"") && last.contains("number=\"2\""), "{last}");
}

#[test]
fn endless_searching_stops() {
    let (node, model) = node(vec![searching("owner")]);
    let mut answers = start(&node, asked(Tools::default()));
    let completion = collect(&mut answers);
    assert_eq!((completion.reason, completion.tool_calls.len()), (FinishReason::Stop, 0));
    let turns = turns(&model);
    assert_eq!(turns.len(), 4);
    assert!(turns[2].tools.list.iter().any(|tool| tool.name == SEARCH_FUNCTION));
    assert!(turns[3].tools.list.is_empty(), "the last turn can't search");
    assert!(results(&turns[3])[2].ends_with("answer now."));
}

#[test]
fn the_tokens_of_an_answer_are_those_of_all_its_turns() {
    let (node, model) = node(vec![searching("owner")]);
    let mut conversation = asked(Tools::default());
    conversation.task.max_tokens = Some(10);
    let completion = collect(&mut start(&node, conversation));
    assert_eq!(completion.reason, FinishReason::Length);
    let limits: Vec<_> = turns(&model).iter().map(|turn| turn.max_tokens).collect();
    assert_eq!(limits, [Some(10), Some(5)]);
}

#[test]
fn calls_of_the_clients_functions_go_to_the_client() {
    let own = calling(&[(SEARCH_FUNCTION, "{}"), ("f", "{\"a\":1}")]);
    let (node, model) = node(vec![searching("owner"), own]);
    let mut answers = start(&node, asked(own_tools()));
    let completion = collect(&mut answers);
    assert_eq!(completion.reason, FinishReason::ToolCalls);
    let calls: Vec<_> = completion.tool_calls.iter().map(|c| (&*c.name, &*c.arguments)).collect();
    assert_eq!(calls, [("f", "{\"a\":1}")]);
    assert_eq!(model.started(), 2);
}

#[test]
fn a_function_of_the_nodes_name_is_refused() {
    let (node, model) = node(vec![saying("Me.")]);
    let mut tools = own_tools();
    tools.list[0].name = SEARCH_FUNCTION.into();
    let refused = block_on(converse(&node, None, asked(tools))).err().expect("refused");
    assert!(refused.to_string().contains("another name"), "{refused}");
    assert_eq!((model.started(), node.admission.active()), (0, 0));
}

#[test]
fn what_goes_wrong_in_a_search_is_told_to_the_model() {
    let garbled =
        calling(&[(SEARCH_FUNCTION, "{\"q\": 1"), (SEARCH_FUNCTION, "{\"query\":\" \"}")]);
    let (node, model) = node(vec![garbled, saying("No.")]);
    let mut answers = start(&node, asked(Tools::default()));
    assert_eq!(collect(&mut answers).text, "No.");
    assert_eq!(answers.sources().get(), None, "nothing was asked");
    let turns = turns(&model);
    let [garbled, empty] = results(&turns[1])[..] else { panic!("two results") };
    assert!(garbled.contains("{\"query\": \"…\"}"), "{garbled}");
    assert!(empty.contains("query is empty"), "{empty}");
    assert_eq!(turns[1].messages[1].tool_calls[0].arguments, "{}");
}

#[test]
fn nothing_found_is_told_to_the_model_and_to_the_client() {
    let (node, model) = node(vec![searching("weather"), saying("I don't know.")]);
    let mut answers = start(&node, asked(Tools::default()));
    collect(&mut answers);
    assert_eq!(answers.sources().get(), Some(vec![]));
    assert!(results(&turns(&model)[1])[0].contains("nothing about this"));
}

#[test]
fn what_has_no_room_is_left_out_of_all_searches_together() {
    let (node, model) = node(vec![searching("owner"), searching("borrow"), saying("One.")]);
    let mut conversation = asked(Tools::default());
    conversation.plan.as_mut().expect("one").grounding.tokens_max = Some(10);
    let mut answers = start(&node, conversation);
    collect(&mut answers);
    assert_eq!(answers.sources().get().expect("asked").len(), 1);
    assert!(results(&turns(&model)[2])[1].starts_with("There is no room"));
}

#[test]
fn many_searches_at_once_are_not_all_made() {
    let query = "{\"query\":\"owner\"}";
    let (node, model) = node(vec![calling(&[(SEARCH_FUNCTION, query); 6]), saying("One.")]);
    collect(&mut start(&node, asked(Tools::default())));
    let turns = turns(&model);
    let refused = results(&turns[1]).iter().filter(|text| text.contains("too many")).count();
    assert_eq!((results(&turns[1]).len(), refused), (6, 2));
}

#[test]
fn dropping_it_cancels_whichever_turn_it_is() {
    let later = vec![Ok(Event::text("One", 1))];
    let model = FakeModel::new("m", ModelKind::Chat);
    let model = model.answering_in_turn(vec![searching("owner"), later]).counting(7).hanging();
    let (node, model) = with_book(model);
    let mut answers = start(&node, asked(Tools::default()));
    for wanted in ["prompt", "text"] {
        let event = block_on(answers.next()).expect("more").expect("good").1;
        assert_eq!(matches!(event, Event::Delta { .. }), wanted == "text");
    }
    assert_eq!((model.started(), node.admission.active()), (2, 1));
    drop(answers);
    assert_eq!((model.cancelled(), node.admission.active()), (1, 0));
}

#[test]
fn a_turn_that_fails_ends_the_answer() {
    let (node, model) = node(vec![searching("owner"), vec![Err(ServeError::WorkerStopped)]]);
    let mut answers = start(&node, asked(Tools::default()));
    assert!(block_on(answers.next()).is_some_and(|event| event.is_ok()));
    let failed = block_on(answers.next()).expect("an error");
    assert_eq!(failed.err(), Some(ServeError::WorkerStopped));
    assert!(block_on(answers.next()).is_none());
    assert_eq!((model.started(), node.admission.active()), (2, 0));
}

#[test]
fn where_no_search_can_be_called_the_passages_come_first() {
    let (node, model) = node(vec![saying("One.")]);
    let mut conversation = asked(own_tools());
    conversation.task.messages[0].content = "owner".into();
    conversation.task.tools.choice = ToolChoice::Named("f".into());
    let answers = start(&node, conversation);
    assert_eq!(answers.sources().get().expect("asked").len(), 1);
    assert_eq!(turns(&model)[0].messages[0].role, Role::System);
}
