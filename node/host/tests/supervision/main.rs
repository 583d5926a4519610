//! What a worker may do to the host: a fake worker at the other end of the socket does it.

mod fake;
mod manage;
mod process;

use std::sync::Arc;
use std::time::Duration;

use fake::FakeWorker;
use futures_util::StreamExt;
use gaia_core::{EventStream, Model, ModelStatus, ServeError};
use gaia_host::workers::Ending;
use gaia_protocol::frame::{HostFrame, WorkerFrame};
use gaia_protocol::{ChatTask, Event, FinishReason, Outcome, Task, Usage, WorkerStats};

const DELTA: &str = r#"{"event":"delta","text":"a","tokens":1}"#;
const FINISH: &str =
    r#"{"event":"finish","reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":2}}"#;

fn ask(worker: &FakeWorker) -> EventStream {
    worker.model.start(Task::Chat(ChatTask::default())).expect("the model is ready")
}

fn event(id: u64, body: &str) -> WorkerFrame {
    WorkerFrame::Event { id, body: body.into() }
}

#[tokio::test]
async fn an_answer_streams_and_ends() {
    let mut worker = FakeWorker::ready().await;
    let mut stream = ask(&worker);
    let id = worker.request().await;
    for body in [DELTA, FINISH] {
        worker.say(&event(id, body)).await;
    }
    worker.say(&WorkerFrame::End { id, outcome: Outcome::Done }).await;
    let delta = Event::text("a", 1);
    assert_eq!(stream.next().await, Some(Ok(delta)));
    let usage = Usage { prompt_tokens: 1, completion_tokens: 2, ..Usage::default() };
    assert_eq!(stream.next().await, Some(Ok(Event::finish(FinishReason::Stop, usage))));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_crash_ends_every_stream_with_an_error() {
    let mut worker = FakeWorker::ready().await;
    let mut streams = [ask(&worker), ask(&worker)];
    let id = worker.request().await;
    worker.say(&event(id, DELTA)).await;
    assert!(matches!(worker.hang_up().await, Ending::Closed));
    assert!(matches!(streams[0].next().await, Some(Ok(Event::Delta { .. }))));
    for stream in &mut streams {
        assert_eq!(stream.next().await, Some(Err(ServeError::WorkerStopped)));
        assert_eq!(stream.next().await, None);
    }
}

#[tokio::test]
async fn a_worker_that_speaks_garbage_is_ended() {
    let mut worker = FakeWorker::ready().await;
    let mut stream = ask(&worker);
    worker.write(&[0xff; 64]).await;
    assert!(matches!(worker.ending().await, Ending::Frame(_)));
    assert_eq!(stream.next().await, Some(Err(ServeError::WorkerStopped)));
}

#[tokio::test]
async fn a_worker_that_floods_a_window_is_ended() {
    let mut worker = FakeWorker::ready().await;
    let mut stream = ask(&worker);
    let id = worker.request().await;
    for _ in 0..=fake::WINDOW_EVENTS {
        worker.say(&event(id, DELTA)).await;
    }
    let ending = worker.ending().await;
    assert!(matches!(ending, Ending::Violation(_)), "{ending}");
    for _ in 0..fake::WINDOW_EVENTS {
        assert!(matches!(stream.next().await, Some(Ok(Event::Delta { .. }))));
    }
    assert_eq!(stream.next().await, Some(Err(ServeError::WorkerStopped)));
}

#[tokio::test]
async fn a_worker_that_invents_requests_is_ended() {
    let mut worker = FakeWorker::ready().await;
    worker.say(&event(77, DELTA)).await;
    let ending = worker.ending().await;
    assert!(ending.to_string().contains("request 77"), "{ending}");
}

#[tokio::test]
async fn credit_comes_as_the_client_reads() {
    let mut worker = FakeWorker::ready().await;
    let mut stream = ask(&worker);
    let id = worker.request().await;
    for _ in 0..fake::WINDOW_EVENTS {
        worker.say(&event(id, DELTA)).await;
    }
    for _ in 0..fake::WINDOW_EVENTS / 2 {
        stream.next().await.expect("an event").expect("a delta");
    }
    let events = fake::WINDOW_EVENTS / 2;
    assert_eq!(worker.hear().await, HostFrame::Credit { id, events });
}

#[tokio::test]
async fn a_dropped_stream_is_cancelled_and_its_last_events_are_forgiven() {
    let mut worker = FakeWorker::ready().await;
    let stream = ask(&worker);
    let id = worker.request().await;
    drop(stream);
    assert_eq!(worker.hear().await, HostFrame::Cancel { id });
    worker.say(&event(id, DELTA)).await;
    worker.say(&WorkerFrame::End { id, outcome: Outcome::Cancelled }).await;
    let _second = ask(&worker);
    assert_ne!(worker.request().await, id, "the connection lives");
}

#[tokio::test]
async fn an_app_that_goes_on_after_its_last_event_is_cancelled() {
    let mut worker = FakeWorker::ready().await;
    let mut stream = ask(&worker);
    let id = worker.request().await;
    worker.say(&event(id, FINISH)).await;
    assert!(matches!(stream.next().await, Some(Ok(Event::Finish { .. }))));
    drop(stream);
    worker.say(&event(id, DELTA)).await;
    assert_eq!(worker.hear().await, HostFrame::Cancel { id });
}

#[tokio::test]
async fn an_app_that_breaks_its_word_fails_its_own_request_alone() {
    let mut worker = FakeWorker::ready().await;
    let mut garbage = ask(&worker);
    let id = worker.request().await;
    worker.say(&event(id, "{\"event\":\"dance\"}")).await;
    assert!(matches!(garbage.next().await, Some(Err(ServeError::App { .. }))));
    drop(garbage);
    assert_eq!(worker.hear().await, HostFrame::Cancel { id });
    let mut silent = ask(&worker);
    let id = worker.request().await;
    worker.say(&WorkerFrame::End { id, outcome: Outcome::Done }).await;
    assert!(matches!(silent.next().await, Some(Err(ServeError::App { .. }))));
}

#[tokio::test]
async fn more_requests_than_fit_are_refused() {
    let worker = FakeWorker::ready().await;
    let _streams: Vec<_> = (0..fake::LIVE_MAX).map(|_| ask(&worker)).collect();
    let refused = worker.model.start(Task::Chat(ChatTask::default())).err();
    assert!(matches!(refused, Some(ServeError::Overloaded { .. })));
}

#[tokio::test]
async fn numbers_are_those_of_now() {
    let mut worker = FakeWorker::ready().await;
    let model = Arc::clone(&worker.model);
    let answer = async {
        worker.hear_ping().await;
        let stats = WorkerStats { sequences_active: 3, ..WorkerStats::default() };
        worker.say(&WorkerFrame::Stats(stats)).await;
    };
    let (report, ()) = tokio::join!(model.report(), answer);
    assert_eq!(report.stats.sequences_active, 3);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_falls_silent_is_ended() {
    let mut worker = FakeWorker::ready().await;
    let ending = worker.ending().await;
    assert!(matches!(ending, Ending::Hang(after) if after == Duration::from_secs(60)), "{ending}");
}

#[tokio::test]
async fn a_model_that_loads_says_how_far_it_is_and_takes_nothing() {
    let mut worker = FakeWorker::new();
    worker.say(&WorkerFrame::Progress(0.5)).await;
    while worker.model.status() != (ModelStatus::Loading { share: 0.5 }) {
        tokio::task::yield_now().await;
    }
    let refused = worker.model.start(Task::Chat(ChatTask::default())).err();
    let said = refused.expect("it loads").to_string();
    assert!(said.contains("50 %"), "{said}");
    worker.say(&WorkerFrame::Fatal("no such file".into())).await;
    assert_eq!(worker.ending().await.to_string(), "no such file");
}
