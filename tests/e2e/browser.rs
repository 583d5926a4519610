//! The node's pages in a real browser: what people see there, and what a page must never do.

use std::process::Command;

use gaia_tests::{Node, NodeOptions, app, binary, chat_model};

use crate::clients::{assert_passes, given, script};

/// Two apps that need no model's mind: one says what it is told, one misbehaves.
fn with_documents() -> Node {
    let model = |name: &str, app_name: &str| {
        format!(
            "[[models]]\nname = {name:?}\nkind = \"chat\"\nload = \"demand\"\npath = {:?}\napp = {:?}\n",
            chat_model(),
            app(app_name),
        )
    };
    let more = model("echo", "echo") + &model("flood", "hostile");
    let node = Node::start(&NodeOptions { more, ..NodeOptions::default() });
    let folder = node.folder().join("documents");
    std::fs::create_dir_all(&folder).expect("ours");
    for (name, text) in [
        ("zoo.md", "# Zoo\n\nThe zoo opens at seven and closes at nineteen.\n".to_owned()),
        (
            "<img src=x onerror=globalThis.hacked=1>.txt",
            format!("When the zoo opens: a hostile text. {HOSTILE} And once more: {HOSTILE}\n"),
        ),
    ] {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let mut ingest = Command::new(binary("gaia-node"));
    ingest.args(["kb", "--url", &node.url(), "ingest", "-c", "facts"]).arg(&folder);
    let output = ingest.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    node
}

/// As `tests/clients/browser/visit.mjs` has it.
const HOSTILE: &str = "<img src=x onerror=\"globalThis.hacked=1\">\
    <script>globalThis.hacked=1</script><a href=\"javascript:globalThis.hacked=1\">a</a>";

fn passes(node: &Node, name: &str) {
    let mut command = Command::new("node");
    command.arg(script("browser").join(name)).env("GAIA_TEST_URL", node.url());
    for variable in ["GAIA_TEST_BROWSER", "GAIA_TEST_NODE_MODULES"] {
        command.env(variable, given(variable));
    }
    assert_passes(command.env("GAIA_TEST_KEY", "secret"));
}

#[test]
fn people_talk_search_and_see_the_models() {
    passes(&with_documents(), "talk.mjs");
}

#[test]
fn people_see_their_mistakes_in_rust_and_have_them_mended() {
    passes(&Node::start(&NodeOptions::default()), "rust.mjs");
}

#[test]
fn the_page_asks_for_a_key_and_forgets_it_with_its_tab() {
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let more = format!("[auth]\nkeys = [{{ name = \"secret\", hash = \"{hash}\" }}]");
    passes(&Node::start(&NodeOptions { more, ..NodeOptions::default() }), "keys.mjs");
}

#[test]
fn the_pages_suit_keyboards_readers_darkness_and_narrow_windows() {
    passes(&with_documents(), "access.mjs");
}

#[test]
fn every_route_can_be_tried_on_its_page() {
    passes(&Node::start(&NodeOptions::default()), "docs.mjs");
}
