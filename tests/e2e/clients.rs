//! The official clients of OpenAI's API, of Anthropic's and of MCP, for Python and for Node.js, as their
//! users run them.

use std::path::PathBuf;
use std::process::Command;

use gaia_tests::{Node, NodeOptions, binary};

#[expect(clippy::disallowed_methods, reason = "scripts/test tells the tests by environment")]
pub fn given(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.unwrap_or_else(|| {
        panic!("{variable} is not set: run scripts/test, which installs the clients")
    })
}

pub fn script(name: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

pub fn assert_passes(command: &mut Command) {
    let output = command.output().expect("the interpreter starts");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("all checks passed"), "{out}\n{err}");
}

#[test]
fn the_javascript_client_is_content() {
    let node = Node::start(&NodeOptions::default());
    let modules = given("GAIA_TEST_NODE_MODULES");
    let mut command = Command::new("node");
    command.arg(script("openai_client.mjs")).arg(node.url()).arg(modules);
    assert_passes(&mut command);
}

#[test]
fn the_scripts_of_the_pages_make_text_of_hostile_text() {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/host/page");
    assert_passes(Command::new("node").arg(script("pages.mjs")).arg(pages));
}

/// Runs a script of `tests/clients` that takes its node from the environment.
fn passes(node: &Node, name: &str, arguments: &[&str]) {
    let mut command = Command::new(given("GAIA_TEST_PYTHON"));
    command.arg(script(name)).args(arguments).env("GAIA_TEST_URL", node.url());
    // LiteLLM would ask the network for prices.
    assert_passes(command.env("LITELLM_LOCAL_MODEL_COST_MAP", "True"));
}

#[test]
fn the_python_clients_are_content() {
    let node = Node::start(&NodeOptions::default());
    for name in ["openai_client.py", "openai_responses.py"] {
        let python = given("GAIA_TEST_PYTHON");
        assert_passes(Command::new(python).arg(script(name)).arg(node.url()));
    }
    for part in ["openai_chat", "openai_texts", "openai_responses", "openai_files", "openai_stores"]
    {
        passes(&node, &format!("sdk_{part}.py"), &[]);
    }
    for package in ["anthropic", "langchain", "litellm"] {
        passes(&node, &format!("sdk_{package}.py"), &[]);
    }
}

/// In short form: by hand, thousands of requests are a better trial (see the scripts).
#[test]
fn spoilt_requests_and_a_crowd_that_hangs_up_leave_the_node_as_it_was() {
    let node = Node::start(&NodeOptions::default());
    passes(&node, "fuzz.py", &["--requests", "120"]);
    passes(&node, "soak.py", &["--requests", "100", "--slow"]);
}

#[test]
fn tenants_see_nothing_of_each_other() {
    // The hashes of `secret` and `abc`.
    let more = "[auth]\nkeys = [\
        { name = \"first\", hash = \"sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\" },\
        { name = \"second\", hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" }]";
    let node = Node::start(&NodeOptions { more: more.into(), ..NodeOptions::default() });
    let mut command = Command::new(given("GAIA_TEST_PYTHON"));
    command.arg(script("tenants.py")).arg("--quick").env("GAIA_TEST_URL", node.url());
    assert_passes(command.env("GAIA_TEST_KEY", "secret").env("GAIA_TEST_OTHER_KEY", "abc"));
}

#[test]
fn the_openapi_document_is_valid_and_says_what_answers_are() {
    passes(&Node::start(&NodeOptions::default()), "openapi.py", &[]);
}

/// What an editor starts for a client that speaks over standard input and output.
fn over_stdio(node: &Node) -> [String; 4] {
    let program = binary("gaia-node").display().to_string();
    [program, "mcp".into(), "--url".into(), node.url()]
}

#[test]
fn the_python_client_of_mcp_is_content_with_every_way_in() {
    let node = Node::start(&NodeOptions::default());
    let ways = [
        ("auto", vec![format!("{}/mcp", node.url())]),
        ("auto", over_stdio(&node).to_vec()),
        ("legacy", vec![format!("{}/sse", node.url())]),
    ];
    for (mode, way) in ways {
        let mut command = Command::new(given("GAIA_TEST_PYTHON"));
        command.arg(script("mcp_client.py")).args([&node.url(), mode]).args(way);
        assert_passes(&mut command);
    }
}

#[test]
fn the_typescript_client_of_mcp_is_content_with_every_way_in() {
    let node = Node::start(&NodeOptions::default());
    let mut command = Command::new("node");
    command.arg(script("mcp.mjs")).arg(node.url()).arg(given("GAIA_TEST_NODE_MODULES"));
    assert_passes(command.args(over_stdio(&node)));
}
