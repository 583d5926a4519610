//! GPUs, with Mesa's software Vulkan driver in the place of one: the same module, the same path
//! through ggml, no speed.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use gaia_tests::{Client, Node, NodeOptions, app, binary, chat_model, home, kill, wait_until};
use serde_json::{Value, json};

/// A cache of tens of terabytes.
const TOO_MUCH: &str = "context_tokens = 16777216\nsequences_max = 256";

/// The drivers that the loader may look for, and the devices that ggml may use: it passes over
/// processors unless one is named.
const ENVIRONMENT: [&str; 2] = ["VK_DRIVER_FILES", "GGML_VK_VISIBLE_DEVICES"];

/// `devices`: which of the driver's devices ggml uses; it takes the same one twice for two.
fn environment(devices: &str) -> Vec<(String, String)> {
    let values = [driver().display().to_string(), devices.into()];
    ENVIRONMENT.map(String::from).into_iter().zip(values).collect()
}

fn driver() -> PathBuf {
    let folder = std::fs::read_dir("/usr/share/vulkan/icd.d").into_iter().flatten().flatten();
    let driver = folder.map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd"))
    });
    driver.expect("Mesa's software Vulkan driver is missing: run scripts/test, which installs it")
}

/// A folder with the Vulkan module beside the processor's modules that the worker uses by itself.
struct Backends(PathBuf);

impl Backends {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gaia-gpu-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        let modules = std::fs::read_dir(own_backends()).expect("the worker names a folder");
        let modules = modules.map(|entry| entry.expect("readable").path());
        let vulkan = home().join("gpu/libggml-vulkan.so");
        assert!(vulkan.exists(), "{} is missing: run scripts/test", vulkan.display());
        for module in modules.filter(|path| path.extension().is_some()).chain([vulkan]) {
            let name = module.file_name().expect("it has an extension");
            // The folder of an installation may hold a Vulkan module too.
            if !folder.join(name).exists() {
                symlink(&module, folder.join(name)).expect("the folder is ours");
            }
        }
        Self(folder)
    }

    fn line(&self) -> String {
        format!("backends_dir = {:?}\n", self.0)
    }
}

impl Drop for Backends {
    fn drop(&mut self) {
        // A folder left behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn own_backends() -> PathBuf {
    let output = Command::new(binary("gaia-worker")).arg("info").output().expect("it runs");
    let info: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    Path::new(info["backends_dir"].as_str().expect("a path")).to_path_buf()
}

fn model(name: &str, more: &str) -> String {
    let (path, app) = (chat_model(), app("chat"));
    format!(
        "[[models]]\nname = {name:?}\nkind = \"chat\"\npath = {path:?}\napp = {app:?}\n{more}\n"
    )
}

/// What `gaia-node check` says of models.
fn check(name: &str, models: &[(&str, String)]) -> String {
    let config = std::env::temp_dir().join(format!("gaia-gpu-{}-{name}.toml", std::process::id()));
    let text: String = models.iter().map(|(name, more)| model(name, more)).collect();
    std::fs::write(&config, text).expect("the temporary folder is writable");
    let mut command = Command::new(binary("gaia-node"));
    command.args(["check", "--config"]).arg(&config).envs(environment("0"));
    let output = command.output().expect("it runs");
    std::fs::remove_file(&config).expect("it is ours");
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn what_does_not_fit_the_gpu_is_refused_with_the_numbers() {
    let backends = Backends::new("refused");
    let with = |more: &str| format!("{}gpu_layers = 99\n{more}", backends.line());
    let models = [
        ("large", with(TOO_MUCH)),
        ("elsewhere", with("main_gpu = 1")),
        ("shared", with("tensor_split = [0.5, 0.5]")),
        ("rows", with("split_mode = \"row\"")),
        ("nowhere", "gpu_layers = 99".into()),
    ];
    let said = check("refused", &models);
    let line = |name: &str| {
        let start = format!("problem  {name}: ");
        said.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{said}"))
    };
    for number in ["MiB on Vulkan0 (92 of weights", "MiB are free there", "gpu_partial"] {
        assert!(line("large").contains(number), "{said}");
    }
    assert!(line("elsewhere").contains("main_gpu is 1"), "{said}");
    assert!(line("shared").contains("tensor_split holds 2 shares"), "{said}");
    assert!(line("rows").contains("Vulkan0 does not support split buffers"), "{said}");
    assert!(line("nowhere").contains("no GPU was found"), "{said}");
}

/// More than the 2 GiB of Debian 12's driver; other releases' give more.
const LARGE: &str = "context_tokens = 8192\nsequences_max = 16";

/// What the node says that these need.
const LARGE_MIB: u64 = 3014;

#[test]
fn a_config_that_is_content_with_less_gets_what_fits() {
    let backends = Backends::new("partial");
    let chat = format!("{}gpu_layers = 99\ngpu_partial = true\n{LARGE}", backends.line());
    let options = NodeOptions { chat, environment: environment("0"), ..NodeOptions::default() };
    let node = Node::start(&options);
    let card = card(&node, "chat");
    let layers = card["gpu_layers"].as_u64().expect("a number");
    let free = card["devices"][0]["memory_free_bytes"].as_u64().expect("a number");
    assert!(layers >= 1 && card["gpu_memory_bytes"].as_u64() <= Some(free), "{card}");
    assert_eq!(layers < 31, free < LARGE_MIB << 20, "{card}");
}

#[test]
fn two_gpus_share_a_model_as_they_are_told() {
    let backends = Backends::new("shared");
    let shape = "context_tokens = 256\nsequences_max = 4\ntensor_split = [0.25, 0.75]\n";
    let chat = format!("{}{shape}gpu_layers = 99", backends.line());
    let options = NodeOptions { chat, environment: environment("0,0"), ..NodeOptions::default() };
    let node = Node::start(&options);
    let card = card(&node, "chat");
    let layers = |index: usize| card["devices"][index]["layers"].as_u64();
    assert_eq!((layers(0), layers(1)), (Some(8), Some(23)), "{card}");
    assert!(continuation(&node.client(), "chat", "abcdefg").starts_with("fgh"));
}

/// Prompts whose next tokens the small model is sure of: rounding differs between a GPU's kernels
/// and the processor's, and flips what is nearly a tie.
const PROMPTS: [&str; 4] =
    ["The capital of France is", "January, February,", "abcdefg", "The opposite of hot is"];

/// As far as the answers are compared.
const TOKENS: u32 = 4;

fn continuation(client: &Client, model: &str, prompt: &str) -> String {
    let request = json!({"model": model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0});
    let answer = client.post("/v1/completions", &request);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["choices"][0]["text"].as_str().expect("a text").to_owned()
}

fn card(node: &Node, name: &str) -> Value {
    let info = node.client().get("/v1/info").json();
    let models = info["models"].as_array().expect("models");
    models.iter().find(|model| model["name"] == name).expect("it is served")["card"].clone()
}

/// One model on the GPU; the same on the processor, which has the module too, but asks for nothing.
fn node(backends: &Backends) -> Node {
    let shape = "context_tokens = 256\nsequences_max = 4\n";
    Node::start(&NodeOptions {
        chat: format!("{}{shape}gpu_layers = 99", backends.line()),
        more: model("plain", &format!("{}{shape}", backends.line())),
        environment: environment("0"),
        ..NodeOptions::default()
    })
}

#[test]
fn a_model_on_a_gpu_says_what_the_processor_says() {
    let backends = Backends::new("same");
    let node = node(&backends);
    let gpu = card(&node, "chat");
    assert_eq!(gpu["gpu_layers"], 31, "{gpu}");
    assert_eq!(gpu["devices"][0]["name"], "Vulkan0");
    assert_eq!(gpu["devices"][0]["layers"], 31);
    assert_eq!(gpu["devices"][0]["memory_used_bytes"], gpu["gpu_memory_bytes"]);
    let plain = card(&node, "plain");
    assert_eq!((&plain["gpu_layers"], &plain["gpu_memory_bytes"]), (&json!(0), &json!(0)));
    let expected = PROMPTS.map(|prompt| continuation(&node.client(), "plain", prompt));
    assert_eq!(together(&node), expected, "four at once");
    for worker in node.workers() {
        kill(worker, "KILL");
    }
    let ready = || node.client().get("/ready").status == 200;
    wait_until("the dead workers are noticed", || !ready());
    wait_until("the workers are back", ready);
    assert_eq!(card(&node, "chat")["gpu_layers"], 31);
    assert_eq!(continuation(&node.client(), "chat", PROMPTS[0]), expected[0], "after the restart");
}

fn together(node: &Node) -> [String; 4] {
    let ask = |prompt: &'static str| {
        let client = node.client();
        thread::spawn(move || continuation(&client, "chat", prompt))
    };
    PROMPTS.map(ask).map(|thread| thread.join().expect("an answer"))
}
