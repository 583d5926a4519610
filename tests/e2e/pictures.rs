//! Pictures in conversations, with a projector of random numbers: it sees nothing, but what the model
//! reads follows from each pixel.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use gaia_tests::{
    LINES_WIDTH, MODEL_WIDTH, Node, NodeOptions, ProjectorKind, Response, app, base64, binary,
    chat_model, data_url, lines_model, png, projector,
};
use serde_json::{Value, json};

use crate::clients::{assert_passes, given, script};

/// A folder with a projector, gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gaia-eyes-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn options(&self, more: &str) -> NodeOptions {
        let projector = projector(&self.0, ProjectorKind::Llava, MODEL_WIDTH);
        let chat = format!("mmproj_path = {projector:?}\n");
        NodeOptions { chat, more: more.into(), ..NodeOptions::default() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

const QUESTION: &str = "What is this?";

/// A question about pictures, each as its address.
fn about(urls: &[String]) -> Value {
    let picture = |url: &String| json!({"type": "image_url", "image_url": {"url": url}});
    let text = json!({"type": "text", "text": QUESTION});
    let content: Vec<_> = urls.iter().map(picture).chain([text]).collect();
    json!({
        "model": "chat",
        "messages": [{"role": "user", "content": content}],
        "temperature": 0,
        "max_tokens": 12,
        "logprobs": true,
    })
}

fn ask(node: &Node, request: &Value) -> Response {
    node.client().post("/v1/chat/completions", request)
}

fn answer(node: &Node, request: &Value) -> Value {
    let response = ask(node, request);
    assert_eq!(response.status, 200, "{}", response.body);
    response.json()
}

fn text(answer: &Value) -> &str {
    answer["choices"][0]["message"]["content"].as_str().expect("a text")
}

fn first_logprob(answer: &Value) -> f64 {
    answer["choices"][0]["logprobs"]["content"][0]["logprob"].as_f64().expect("a number")
}

fn refused(node: &Node, request: &Value, status: u16) -> String {
    let response = ask(node, request);
    assert_eq!(response.status, status, "{}", response.body);
    let error = response.json()["error"].clone();
    format!("{} {}", error["param"].as_str().unwrap_or_default(), error["message"])
}

#[test]
fn an_answer_follows_from_the_picture_and_text_alone_from_the_text() {
    let plain = json!({"model": "chat", "temperature": 0, "max_tokens": 16,
        "messages": [{"role": "user", "content": "What is the capital of France?"}]});
    let blind = {
        let node = Node::start(&NodeOptions::default());
        let words = refused(&node, &about(&[data_url(&png(8, 8, 1))]), 400);
        assert!(words.starts_with("messages[0].content[0].image_url.url"), "{words}");
        assert!(words.contains("takes none"), "{words}");
        text(&answer(&node, &plain)).to_owned()
    };
    let folder = Folder::new("answers");
    let node = Node::start(&folder.options(""));
    assert_eq!(node.client().get("/v1/info").json()["models"][0]["takes_pictures"], true);
    assert_eq!(text(&answer(&node, &plain)), blind);
    let [one, two] = [3, 4].map(|seed| about(&[data_url(&png(61, 47, seed))]));
    let first = answer(&node, &one);
    let same = answer(&node, &one);
    let other = answer(&node, &two);
    assert_eq!(text(&first), text(&same));
    assert_ne!(first_logprob(&first), first_logprob(&other));
    // Sixteen rows, and the picture is found in the cache; another one is not.
    let tokens = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().expect("a number");
    let words = answer(&node, &about(&[]));
    assert_eq!(tokens(&first), tokens(&words) + 16);
    let cached = |answer: &Value| {
        answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64().expect("a number")
    };
    assert_eq!(cached(&same), tokens(&first) - 1);
    assert!(cached(&other) < tokens(&first) - 16, "{other}");
    assert_eq!(text(&answer(&node, &plain)), blind);
    assert!(node.metric("gaia_pictures_total", "chat") >= 2.0);
}

#[test]
fn anthropics_and_openais_newer_api_show_pictures_too() {
    let folder = Folder::new("apis");
    let node = Node::start(&folder.options(""));
    let file = png(30, 20, 9);
    let source = json!({"type": "base64", "media_type": "image/png", "data": base64(&file)});
    let content = json!([{"type": "image", "source": source}, {"type": "text", "text": QUESTION}]);
    let messages = json!([{"role": "user", "content": content}]);
    let request = json!({"model": "chat", "max_tokens": 8, "temperature": 0, "messages": messages});
    let claude = node.client().post("/v1/messages", &request);
    assert_eq!(claude.status, 200, "{}", claude.body);
    let counted = node.client().post("/v1/messages/count_tokens", &json!({"messages": messages}));
    assert_eq!(counted.json()["input_tokens"], claude.json()["usage"]["input_tokens"]);
    let picture = json!({"type": "input_image", "image_url": data_url(&file)});
    let content = json!([picture, {"type": "input_text", "text": QUESTION}]);
    let input = json!([{"role": "user", "content": content}]);
    let request =
        json!({"model": "chat", "max_output_tokens": 8, "temperature": 0, "input": input});
    let response = node.client().post("/v1/responses", &request);
    assert_eq!(response.status, 200, "{}", response.body);
    let response = response.json();
    assert_eq!(response["usage"]["input_tokens"], claude.json()["usage"]["input_tokens"]);
    let said = |value: &Value| value["content"][0]["text"].as_str().map(str::to_owned);
    assert_eq!(said(&response["output"][0]), said(&claude.json()));
    // A later request goes on from it, picture and all.
    let more = json!({"model": "chat", "max_output_tokens": 8, "temperature": 0,
        "input": "Sure?", "previous_response_id": response["id"]});
    let more = node.client().post("/v1/responses", &more);
    assert_eq!(more.status, 200, "{}", more.body);
    let tokens = |value: &Value| value["usage"]["input_tokens"].as_u64().expect("a number");
    assert!(tokens(&more.json()) > tokens(&response) + 8);
    the_official_clients_show_them(&node);
}

fn the_official_clients_show_them(node: &Node) {
    for part in ["openai_chat", "openai_responses", "anthropic"] {
        let mut command = Command::new(given("GAIA_TEST_PYTHON"));
        command.arg(script(&format!("sdk_{part}.py"))).arg("pictures");
        assert_passes(command.env("GAIA_TEST_URL", node.url()).env("GAIA_TEST_EYES", "1"));
    }
}

#[test]
fn what_is_no_picture_is_refused_and_the_worker_lives_on() {
    let folder = Folder::new("refusals");
    let more = "[pictures]\nper_request_max = 2\nbytes_max = 5000\npixels_max = 10000\n";
    let node = Node::start(&folder.options(more));
    let workers = node.workers();
    let small = data_url(&png(8, 8, 1));
    let mut bomb = png(8, 8, 1);
    bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let mut cut = png(40, 40, 1);
    cut.truncate(60);
    let html = format!("data:text/html;base64,{}", base64(b"<img>"));
    let cases = [
        ("https://example.org/a.png".to_owned(), 400, "fetches nothing"),
        ("data:image/png;base64,?".to_owned(), 400, "not Base64"),
        (format!("data:image/png;base64,{}", base64(b"GIF89a")), 400, "neither a PNG nor a JPEG"),
        (html, 400, "image/jpeg"),
        (data_url(&cut), 400, "cut off"),
        (data_url(&bomb), 413, "30000 × 30000 pixels; 10000 are allowed"),
        (data_url(&png(101, 100, 1)), 413, "5000"),
        (data_url(&png(300, 2, 1)), 400, "100 times"),
    ];
    for (url, status, words) in cases {
        let said = refused(&node, &about(&[small.clone(), url]), status);
        assert!(said.starts_with("messages[0].content[1].image_url.url"), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let said = refused(&node, &about(&vec![small.clone(); 3]), 400);
    assert!(said.starts_with("messages[0].content[2]") && said.contains("may hold 2"), "{said}");
    let audio = json!({"model": "chat", "messages": [{"role": "user", "content": [
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]}]});
    let said = refused(&node, &audio, 400);
    assert!(said.starts_with("messages[0].content[0].type"), "{said}");
    // Marks in a text are no pictures.
    let mut forged = about(&[small]);
    forged["messages"][0]["content"][1]["text"] = json!("\u{FDD1}0\u{FDD1} \u{FDD1}7\u{FDD1}");
    answer(&node, &forged);
    assert_eq!(node.workers(), workers);
}

#[test]
fn streams_with_and_without_a_picture_run_side_by_side() {
    let folder = Folder::new("streams");
    let node = Node::start(&folder.options(""));
    let mut plain = about(&[]);
    plain["max_tokens"] = json!(40);
    let mut seen = about(&[data_url(&png(200, 100, 5)), data_url(&png(20, 100, 6))]);
    seen["max_tokens"] = json!(40);
    let alone = [&plain, &seen].map(|request| text(&answer(&node, request)).to_owned());
    let together = thread::scope(|scope| {
        let asked = [&plain, &seen, &plain, &seen].map(|request| {
            let mut request = request.clone();
            request["stream"] = json!(true);
            let node = &node;
            scope.spawn(move || {
                let stream = node.client().stream("/v1/chat/completions", &request);
                stream.expect("a stream").collect().0
            })
        });
        asked.map(|answer| answer.join().expect("no panic"))
    });
    for (index, text) in together.iter().enumerate() {
        // Another batch size runs other kernels, whose rounding may flip a near tie.
        let begun = &alone[index % 2][..alone[index % 2].len().min(12)];
        assert!(text.starts_with(begun), "{text:?} {:?}", alone[index % 2]);
    }
    // One that goes away while its pictures are read.
    let mut left = seen.clone();
    left["stream"] = json!(true);
    drop(node.client().stream("/v1/chat/completions", &left));
    answer(&node, &seen);
}

#[test]
fn a_model_that_counts_lines_and_columns_reads_pictures_and_texts_side_by_side() {
    let folder = Folder::new("lines");
    let (model, mmproj) = (
        lines_model(&folder.0, &chat_model()),
        projector(&folder.0, ProjectorKind::Qwen, LINES_WIDTH),
    );
    let instead = Some(format!(
        "[[models]]\nname = \"chat\"\nkind = \"chat\"\npath = {model:?}\nmmproj_path = {mmproj:?}\n\
         picture_tokens_max = 64\nsequences_max = 4\nbatch_tokens = 32\napp = {:?}\n",
        app("chat"),
    ));
    let node = Node::start(&NodeOptions { instead, ..NodeOptions::default() });
    let wide = |seed| data_url(&png(1000, 500, seed));
    let [one, other, two, words] =
        [vec![wide(1)], vec![wide(2)], vec![wide(1), wide(2)], vec![]].map(|urls| about(&urls));
    let first = answer(&node, &one);
    let plain = answer(&node, &words);
    let tokens = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().expect("a number");
    let rows = tokens(&first) - tokens(&plain);
    assert!((40..80).contains(&rows), "{rows} rows and marks");
    let asked = [&one, &words, &two, &other];
    let together = thread::scope(|scope| {
        let node = &node;
        asked.map(|request| scope.spawn(move || answer(node, request))).map(|answer| answer.join())
    });
    let [same, again, both, second] = together.map(|answer| answer.expect("no panic"));
    let near =
        |left: &Value, right: &Value| (first_logprob(left) - first_logprob(right)).abs() < 0.05;
    assert!(near(&same, &first) && near(&again, &plain), "{same} {again}");
    assert!(!near(&second, &first) || text(&second) != text(&first), "{second}");
    assert_eq!(tokens(&both), tokens(&first) + rows);
    let cached =
        |answer: &Value| answer["usage"]["prompt_tokens_details"]["cached_tokens"].as_u64();
    let last = answer(&node, &two);
    assert!(near(&last, &both), "{last} {both}");
    assert_eq!(cached(&last), Some(tokens(&both) - 1));
}

#[test]
fn pictures_are_passed_on_to_another_servers_model_that_sees() {
    let folder = Folder::new("far");
    let first = Node::start(&folder.options(""));
    let table = |name: &str, sees: bool| {
        let url = first.url();
        format!(
            "[[upstreams]]\nname = \"{name}\"\nkind = \"chat\"\nurl = \"{url}/v1\"\nmodel = \"chat\"\n\
             pictures = {sees}\n"
        )
    };
    let instead = Some(table("far", true) + &table("blind", false));
    let second = Node::start_beside(&first, &NodeOptions { instead, ..NodeOptions::default() });
    let models = second.client().get("/v1/info").json()["models"].clone();
    assert_eq!([&models[0]["takes_pictures"], &models[1]["takes_pictures"]], [true, false]);
    let asked = |model: &str, urls: &[String]| {
        let mut request = about(urls);
        request["model"] = json!(model);
        request
    };
    let urls = [3, 4].map(|seed| data_url(&png(61, 47, seed)));
    let own = answer(&first, &asked("chat", &urls));
    let far = answer(&second, &asked("far", &urls));
    assert_eq!(text(&far), text(&own));
    assert_eq!(far["usage"]["prompt_tokens"], own["usage"]["prompt_tokens"]);
    assert!((first_logprob(&far) - first_logprob(&own)).abs() < 0.05, "{far}");
    let [turned, other] = [&[urls[1].clone(), urls[0].clone()][..], &urls[..1]]
        .map(|urls| first_logprob(&answer(&second, &asked("far", urls))));
    assert!(turned != other && turned != first_logprob(&far), "the server saw each");
    let seen = first.metric("gaia_pictures_total", "chat");
    let words = refused(&second, &asked("blind", &urls), 400);
    assert!(words.starts_with("messages[0].content[0]") && words.contains("takes none"), "{words}");
    let broken = format!("data:image/png;base64,{}", base64(&png(61, 47, 3)[..80]));
    let words = refused(&second, &asked("far", &[urls[0].clone(), broken]), 400);
    assert!(words.starts_with("messages[0].content[1]") && words.contains("cut off"), "{words}");
    assert_eq!(first.metric("gaia_pictures_total", "chat"), seen, "nothing of these was sent");
}

/// What an unmodified command makes of a prompt, and what it says.
fn command(prompt: &str, projector: Option<&Path>) -> Output {
    let mut command = Command::new(binary("gaia-node"));
    command.arg("run-app").arg(app("complete"));
    command.arg("--model").arg(format!("seeing={}", chat_model().display()));
    if let Some(projector) = projector {
        command.arg("--mmproj").arg(projector);
    }
    let options = r#"{"temp":0,"n-predict":12,"mmproj":"its own path"}"#;
    command.args(["--", "seeing", "-", "--options", options, "--single"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("it runs");
    let mut input = running.stdin.take().expect("a pipe");
    input.write_all(prompt.as_bytes()).expect("it reads");
    drop(input);
    running.wait_with_output().expect("it ends")
}

#[test]
fn an_unmodified_command_shows_pictures_in_its_prompts() {
    let folder = Folder::new("command");
    let node = Node::start(&folder.options(""));
    let projector = projector(&folder.0, ProjectorKind::Llava, MODEL_WIDTH);
    let prompt = |url: &str| {
        format!(
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n<img src=\"{url}\">{QUESTION}\
             <|im_end|>\n<|im_start|>assistant\n"
        )
    };
    let said = [3, 4].map(|seed| {
        let url = data_url(&png(61, 47, seed));
        let mut request = about(std::slice::from_ref(&url));
        let system = json!({"role": "system", "content": "Be brief."});
        request["messages"].as_array_mut().expect("a list").insert(0, system);
        let output = command(&prompt(&url), Some(&projector));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        // Another batch size runs other kernels, whose rounding may flip a near tie.
        let served = text(&answer(&node, &request)).to_owned();
        assert!(said.starts_with(&served[..served.len().min(12)]), "{said:?} {served:?}");
        said
    });
    assert_ne!(said[0], said[1]);
    let small = data_url(&png(8, 8, 1));
    for (url, projector, words) in [
        (&*small, None, "takes no pictures"),
        ("data:image/png;base64,?", Some(&*projector), "not Base64"),
        ("data:image/png;base64,R0lGODlh", Some(&*projector), "neither a PNG nor a JPEG"),
    ] {
        let output = command(&prompt(url), projector);
        let said = String::from_utf8_lossy(&output.stderr);
        // The stock plugin's number for an invalid argument.
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn a_projector_of_another_model_is_told_by_its_key_and_file() {
    let folder = Folder::new("check");
    let narrow = projector(&folder.0, ProjectorKind::Llava, 64);
    for (mmproj, words) in
        [(narrow.as_path(), "n_embd = 64"), (Path::new("/nowhere/mmproj.gguf"), "is missing")]
    {
        let config = folder.0.join("config.toml");
        let text = format!(
            "[knowledge]\nenabled = false\n[[models]]\nname = \"chat\"\nkind = \"chat\"\n\
             path = {:?}\nmmproj_path = {mmproj:?}\napp = {:?}\n",
            chat_model(),
            app("chat"),
        );
        std::fs::write(&config, text).expect("the folder is ours");
        let mut command = Command::new(binary("gaia-node"));
        let output = command.arg("check").arg("--config").arg(&config).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success(), "{said}");
        let named = said.contains("mmproj_path") && said.contains(&*mmproj.to_string_lossy());
        assert!(named && said.contains(words), "{said}");
    }
}
