//! Workers as processes: programs that are no workers, and one that is not there.

use std::sync::Arc;
use std::time::Duration;

use gaia_core::{Model, ModelStatus};
use gaia_host::config::{Config, Places};
use gaia_host::workers::{Launch, Workers, probe};

fn config(binary: &str) -> Config {
    let places = Places {
        node_home: "/node".into(),
        user_home: "/home/ada".into(),
        config_folder: "/etc/gaia".into(),
    };
    let text = format!(
        "[worker]\nbinary = \"{binary}\"\nrestart_delay_ms_min = 1\nrestart_delay_ms_max = 1\n\
         [[models]]\nname = \"m\"\nkind = \"chat\"\npath = \"m.gguf\"\napp = \"a.wasm\"\n"
    );
    Config::parse("the test's config", &text, places).expect("it is valid")
}

/// Waits until the model's worker is down; why it stopped.
async fn reason(model: &Arc<dyn Model>) -> String {
    loop {
        if let ModelStatus::Down { reason, .. } = model.status() {
            return reason;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_worker_that_exits_is_started_again_and_again() {
    let workers = Workers::start(&config("/bin/false")).expect("the program is there");
    let model = workers.models().all().remove(0);
    let said = reason(&model).await;
    assert!(said.contains("exit status: 1"), "{said}");
    while model.report().await.restarts < 3 {
        tokio::task::yield_now().await;
    }
    workers.drain(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_program_that_never_answers_is_killed_at_drain() {
    let workers = Workers::start(&config("/bin/yes")).expect("the program is there");
    let model = workers.models().all().remove(0);
    // Its standard output goes nowhere; it never reads and never answers.
    assert!(matches!(model.status(), ModelStatus::Loading { .. }));
    workers.drain(Duration::ZERO).await;
    let said = reason(&model).await;
    assert!(said.contains("killed"), "{said}");
}

#[test]
fn a_missing_program_is_named() {
    let said = Workers::start(&config("/no/such/worker")).err().expect("refused").to_string();
    assert!(said.contains("/no/such/worker") && said.contains("worker.binary"), "{said}");
}

#[tokio::test]
async fn a_probe_tells_how_the_worker_ended() {
    let config = config("/bin/false");
    let launch = Launch::new(&config).expect("it names a program");
    let said = probe(&launch, &config.models[0].worker()).await.expect_err("no worker").to_string();
    assert!(said.contains("exit status: 1"), "{said}");
}
