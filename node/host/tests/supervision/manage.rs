//! Workers that come and go while the node serves, with programs that say they are ready.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use gaia_core::{Model, ModelStatus, ServeError};
use gaia_host::config::{Changes, Config, Places};
use gaia_host::workers::{Failure, IfItFails, Operation, Refusal, Workers};
use gaia_protocol::frame::WorkerFrame;
use gaia_protocol::{ChatTask, Task};

use crate::fake::card;

/// A node's home with a program that reads what it shall load and says that it is ready. A model
/// whose file is called `broken` ends it; `slow` takes its time; `never` does not become ready.
struct Home {
    folder: PathBuf,
}

const PROGRAM: &str = "#!/bin/sh\n\
    start=$(dd bs=65536 count=1 2>/dev/null | tr -d '\\0')\n\
    case \"$start\" in\n\
      *broken.gguf*) exit 3 ;;\n\
      *slow.gguf*) sleep 0.5 ;;\n\
      *never.gguf*) exec cat >/dev/null ;;\n\
    esac\n\
    cat \"$(dirname \"$0\")/ready\" >&0\n\
    exec cat >/dev/null\n";

impl Home {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("gaia-manage-{}-{count}", std::process::id()));
        for sub in ["models", "apps"] {
            std::fs::create_dir_all(folder.join(sub)).expect("writable");
        }
        let home = Self { folder };
        for model in ["good", "better", "broken", "slow", "never"] {
            home.write(&format!("models/{model}.gguf"), b"GGUF");
        }
        home.write("apps/chat.wasm", b"");
        home.write("ready", &WorkerFrame::Ready(Box::new(card())).encode());
        home.write("program", PROGRAM.as_bytes());
        // Another process writes it: a file that this one has open for writing may not be started,
        // and a process that another test is just starting would hold it open.
        let (from, to) = (home.folder.join("program"), home.folder.join("worker"));
        let mut install = std::process::Command::new("install");
        let installed = install.args(["-m", "755"]).arg(from).arg(to).status();
        assert!(installed.expect("there is `install`").success());
        home
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.join(name), bytes).expect("the folder is ours");
    }

    /// Serves the model `m` of this file.
    fn serve(&self, file: &str, more: &str) -> Workers {
        let places = Places {
            node_home: self.folder.clone(),
            user_home: self.folder.clone(),
            config_folder: self.folder.clone(),
        };
        let text = format!(
            "[worker]\nbinary = \"worker\"\ndrain_grace_ms = 300\nrestart_delay_ms_min = 60000\n\
             restart_delay_ms_max = 60000\n[[models]]\nname = \"m\"\nkind = \"chat\"\n\
             path = \"models/{file}.gguf\"\napp = \"apps/chat.wasm\"\n{more}\n"
        );
        let config = Config::parse("the test's config", &text, places).expect("it is valid");
        Workers::start(&config).expect("the program is there")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn changes(text: &str) -> Changes {
    Changes { set: text.parse().expect("TOML"), reset: vec![] }
}

fn file(name: &str) -> Changes {
    changes(&format!("path = \"models/{name}.gguf\""))
}

fn task() -> Task {
    Task::Chat(ChatTask::default())
}

async fn end(operation: Result<Operation, Refusal>) -> Result<(), Failure> {
    operation.expect("it begins").await.expect("the node does not end")
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(waited.is_ok(), "waited in vain until {what}");
}

async fn until_ready(workers: &Workers) {
    let models = workers.models();
    until("m is ready", || models.all().iter().all(|model| is_ready(model.as_ref()))).await;
}

fn is_ready(model: &dyn Model) -> bool {
    matches!(model.status(), ModelStatus::Ready(_))
}

#[tokio::test]
async fn wrong_keys_are_told_all_at_once_and_change_nothing() {
    let home = Home::new();
    let workers = home.serve("good", "");
    let manager = workers.manager();
    let wrong = changes(
        "name = \"a b\"\nkind = \"chat\"\npath = \"/etc/passwd\"\napp = \"/bin/sh\"\n\
         sequences_max = 0\ncolour = 1\nbackends_dir = \"/lib\"\n",
    );
    let refused = manager.create(&wrong, IfItFails::Keep).expect_err("refused").to_string();
    for key in ["name:", "path:", "app:", "sequences_max:", "colour:", "backends_dir:"] {
        assert!(refused.contains(key), "{key} is not in {refused}");
    }
    let refused =
        manager.swap("m", &changes("kind = \"embedding\"\nname = \"n\"")).expect_err("no");
    assert!(refused.to_string().contains("name: a swap does not change it"), "{refused}");
    assert!(refused.to_string().contains("kind: a swap does not change it"), "{refused}");
    assert_eq!(workers.models().all().len(), 1);
    assert!(matches!(manager.load("n"), Err(Refusal::Unknown { .. })));
    assert!(manager.load("m").is_ok(), "a refused swap lets the model go");
}

#[tokio::test]
async fn names_are_taken_once() {
    let home = Home::new();
    let workers = home.serve("good", "aliases = [\"x\"]");
    let manager = workers.manager();
    for (name, aliases) in [("m", "[]"), ("x", "[]"), ("n", "[\"x\"]"), ("n", "[\"m\"]")] {
        let new = changes(&format!(
            "name = {name:?}\nkind = \"chat\"\npath = \"models/good.gguf\"\naliases = {aliases}"
        ));
        let refused = manager.create(&new, IfItFails::Keep).expect_err("refused");
        assert!(matches!(refused, Refusal::Taken(_)), "{refused}");
    }
    let twice = changes("aliases = [\"y\", \"y\"]");
    assert!(matches!(manager.swap("m", &twice), Err(Refusal::Problems(_))));
}

#[tokio::test]
async fn a_second_operation_on_a_model_waits_outside() {
    let home = Home::new();
    let workers = home.serve("good", "");
    let manager = workers.manager();
    until_ready(&workers).await;
    let first = manager.swap("m", &file("slow"));
    for refused in [
        manager.unload("m"),
        manager.load("m"),
        manager.remove("m"),
        manager.swap("m", &file("good")),
    ] {
        assert!(matches!(refused, Err(Refusal::Busy { .. })));
    }
    assert_eq!(end(first).await, Ok(()));
    assert_eq!(end(manager.unload("m")).await, Ok(()));
}

#[tokio::test]
async fn a_model_that_does_not_load_leaves_the_old_one_serving() {
    let home = Home::new();
    let workers = home.serve("good", "load_timeout_ms = 2000");
    let manager = workers.manager();
    until_ready(&workers).await;
    let failed = end(manager.swap("m", &file("broken"))).await.expect_err("it can't be loaded");
    assert!(failed.to_string().contains("exit status: 3"), "{failed}");
    let model = workers.models().find("m").expect("it is there");
    assert!(is_ready(model.as_ref()));
    let overview = manager.slots().remove(0).overview();
    assert!(overview.config.model.path.ends_with("good.gguf"));
    assert_eq!(overview.last_error, Some(failed.to_string()));
    let never = Changes {
        set: "path = \"models/never.gguf\"\nload_timeout_ms = 50".parse().expect("TOML"),
        reset: vec![],
    };
    let failed = end(manager.swap("m", &never)).await;
    assert_eq!(failed, Err(Failure::Timeout(Duration::from_millis(50))));
    assert!(is_ready(model.as_ref()));
}

#[tokio::test]
async fn a_swap_lets_running_answers_hold_the_old_worker() {
    let home = Home::new();
    let workers = home.serve("good", "aliases = [\"x\"]");
    let manager = workers.manager();
    until_ready(&workers).await;
    let model = workers.models().find("x").expect("an alias");
    let mut running = model.start(task()).expect("it serves");
    let swap = manager.swap("m", &changes("path = \"models/better.gguf\"\naliases = [\"y\"]"));
    let mut swap = swap.expect("it begins");
    let slot = manager.slots().remove(0);
    until("the new one serves", || slot.overview().config.model.path.ends_with("better.gguf"))
        .await;
    let next = model.start(task()).expect("the new one serves");
    tokio::task::yield_now().await;
    assert!(swap.try_recv().is_err(), "the old worker is held by its answer");
    // The programs never answer: the grace cuts the old answer short, and that alone.
    assert_eq!(running.next().await, Some(Err(ServeError::WorkerStopped)));
    assert_eq!(swap.await.expect("it ends"), Ok(()));
    assert!(is_ready(model.as_ref()));
    drop(next);
    assert!(workers.models().find("x").is_err() && workers.models().find("y").is_ok());
}

#[tokio::test]
async fn what_the_operator_unloads_stays_unloaded_and_does_not_make_the_node_unready() {
    let home = Home::new();
    let workers = home.serve("good", "");
    let manager = workers.manager();
    until_ready(&workers).await;
    assert_eq!(end(manager.unload("m")).await, Ok(()));
    let model = workers.models().find("m").expect("it is still known");
    assert_eq!(model.status(), ModelStatus::Unloaded);
    assert!(workers.models().are_ready());
    assert!(matches!(model.start(task()), Err(ServeError::Unavailable { .. })));
    assert_eq!(end(manager.load("m")).await, Ok(()));
    assert!(model.start(task()).is_ok());
    assert_eq!(end(manager.remove("m")).await, Ok(()));
    assert!(workers.models().find("m").is_err());
    assert!(matches!(manager.load("m"), Err(Refusal::Unknown { .. })));
}

#[tokio::test]
async fn a_model_on_demand_is_loaded_by_the_request_that_waits_for_it() {
    let home = Home::new();
    let workers = home.serve("slow", "load = \"demand\"");
    let model = workers.models().find("m").expect("it is known");
    assert_eq!(model.status(), ModelStatus::Unloaded);
    assert!(workers.models().are_ready());
    let mut stream = model.start(task()).expect("it waits");
    assert!(matches!(model.status(), ModelStatus::Loading { .. }));
    assert!(workers.models().are_ready(), "nobody waits for the node");
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        tokio::select! {
            ended = stream.next() => panic!("it ended: {ended:?}"),
            () = until_ready(&workers) => {}
        }
    });
    waited.await.expect("it loads");
}

#[tokio::test]
async fn who_waits_for_a_model_that_does_not_load_is_told_so() {
    let home = Home::new();
    for (file, reason) in [("broken", "its worker stopped"), ("never", "it is still being loaded")]
    {
        let workers = home.serve(file, "load = \"demand\"\nload_timeout_ms = 200");
        let model = workers.models().find("m").expect("it is known");
        let mut stream = model.start(task()).expect("it waits");
        match stream.next().await {
            Some(Err(ServeError::Unavailable { reason: said, .. })) => assert_eq!(said, reason),
            other => panic!("{file}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_idle_model_is_unloaded_and_the_next_request_loads_it_again() {
    let home = Home::new();
    let workers = home.serve("good", "idle_unload_s = 1");
    let model = workers.models().find("m").expect("it is there");
    until_ready(&workers).await;
    let running = model.start(task()).expect("it serves");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert!(is_ready(model.as_ref()), "a request holds it");
    drop(running);
    until("it is unloaded", || model.status() == ModelStatus::Unloaded).await;
    assert!(workers.models().are_ready());
    let _stream = model.start(task()).expect("it waits");
    until_ready(&workers).await;
}

#[tokio::test]
async fn a_new_model_is_served_and_one_that_fails_is_forgotten_or_kept() {
    let home = Home::new();
    let workers = home.serve("good", "");
    let manager = workers.manager();
    let new = |name: &str, file: &str| {
        changes(&format!("name = {name:?}\nkind = \"chat\"\npath = \"models/{file}.gguf\""))
    };
    assert_eq!(end(manager.create(&new("n", "slow"), IfItFails::Remove)).await, Ok(()));
    assert!(is_ready(workers.models().find("n").expect("it is served").as_ref()));
    let failed = end(manager.create(&new("b", "broken"), IfItFails::Remove)).await;
    assert!(failed.is_err() && workers.models().find("b").is_err());
    let failed = end(manager.create(&new("b", "broken"), IfItFails::Keep)).await;
    assert!(failed.is_err());
    let kept = workers.models().find("b").expect("it is kept");
    assert!(matches!(kept.status(), ModelStatus::Down { .. }));
    until_m_ready(&workers).await;
    assert!(workers.models().are_ready(), "only the config's models are waited for");
    workers.drain(Duration::from_millis(100)).await;
}

async fn until_m_ready(workers: &Workers) {
    let model = workers.models().find("m").expect("it is there");
    until("m is ready", || is_ready(model.as_ref())).await;
}
