use super::*;

fn places() -> Places {
    Places {
        node_home: "/node".into(),
        user_home: "/home/ada".into(),
        config_folder: "/etc/gaia".into(),
    }
}

fn parse(text: &str) -> Result<Config> {
    Config::parse("test.toml", text, places())
}

const MODEL: &str =
    "[[models]]\nname = \"m\"\nkind = \"chat\"\npath = \"m.gguf\"\napp = \"a.wasm\"\n";

fn complaint(text: &str) -> String {
    parse(text).expect_err("it has problems").to_string()
}

#[test]
fn all_problems_are_told_at_once() {
    let said = complaint(
        "colour = 1\n[server]\nlisten = \"nowhere\"\nrequests_max = 0\nport = 1\n\
         [auth]\nkeys = [{ name = \"a\", hash = \"secret\" }]\n[log]\nformat = \"xml\"\n\
         [worker]\nrestart_delay_ms_min = 40000\n[admin]\nmodel_dirs = [\"../models\"]\n\
         [coder]\nattempts = 0\ncollection = \"a/b\"\n[responses]\nstored_max = -1\n[files]\nbytes_max = 9\ntotal_bytes_max = 8\n\
         [[models]]\nname = \"a b\"\nkind = \"vision\"\nsequences_max = -1\n",
    );
    for key in [
        "colour: unknown key",
        "server.listen:",
        "server.requests_max: 0 is out of range",
        "server.port: unknown key; the keys here are: listen,",
        "auth.keys[0].hash:",
        "log.format:",
        "admin.model_dirs: write the folders without",
        "worker.restart_delay_ms_min:",
        "coder.attempts: 0 is out of range",
        "coder.collection: write 1 to 32",
        "responses.stored_max:",
        "files.bytes_max: must not be above",
        "models[0].name: \"a b\"",
        "models[0].kind:",
        "models[0].sequences_max:",
        "models[0].path: is missing",
        "models[0].app: is missing",
    ] {
        assert!(said.contains(key), "{key} is not in:\n{said}");
    }
}

#[test]
fn a_config_without_models_or_with_a_name_twice_is_refused() {
    assert!(complaint("").contains("models: 0 models"));
    assert!(complaint(&MODEL.repeat(2)).contains("models[1].name: \"m\" names another"));
}

#[test]
fn a_name_means_one_model() {
    let with = |name: &str, aliases: &str| {
        MODEL.replace("\"m\"", &format!("{name:?}")) + &format!("aliases = {aliases}\n")
    };
    for (first, second, key, name) in [
        ("[\"x\"]", "[\"x\"]", "models[1].aliases", "x"),
        ("[]", "[\"a\"]", "models[1].aliases", "a"),
        ("[\"b\"]", "[]", "models[1].name", "b"),
        ("[\"x\", \"x\"]", "[]", "models[0].aliases", "x"),
        ("[\"a\"]", "[]", "models[0].name", "a"),
    ] {
        let said = complaint(&(with("a", first) + &with("b", second)));
        assert!(said.contains(&format!("{key}: {name:?} names another model")), "{said}");
    }
    let said = complaint(&with("a", "[\"x y\"]"));
    assert!(said.contains("models[0].aliases[0]: \"x y\" is no name"), "{said}");
    assert!(parse(&(with("a", "[\"x\"]") + &with("b", "[\"y\"]"))).is_ok());
}

#[test]
fn when_a_model_is_in_memory() {
    let said =
        complaint(&format!("{MODEL}load = \"never\"\nidle_unload_s = 0\nload_timeout_ms = 0\n"));
    for key in ["models[0].load:", "models[0].idle_unload_s:", "models[0].load_timeout_ms:"] {
        assert!(said.contains(key), "{key} is not in:\n{said}");
    }
    let read = |more: &str| parse(&format!("{MODEL}{more}")).expect("valid").models.remove(0);
    let plain = read("");
    assert_eq!((plain.load, plain.idle_unload, plain.is_elastic()), (LoadWhen::Start, None, false));
    assert_eq!(plain.load_timeout.as_secs(), 120);
    assert!(read("load = \"demand\"").is_elastic() && read("idle_unload_s = 5").is_elastic());
}

#[test]
fn a_model_from_the_command_line_keeps_what_a_later_swap_needs() {
    let mut config =
        parse(&format!("{MODEL}context_tokens = 64\naliases = [\"x\"]\n")).expect("valid");
    let models = vec!["b=/b.gguf".into(), "c=/c.gguf".into()];
    Overrides { models, ..Overrides::default() }.apply(&mut config).expect("they are names");
    for (model, aliases) in config.models.iter().zip([vec!["x".to_owned()], vec![]]) {
        let again = ServedConfig::read("", model.table.clone(), &places(), &mut vec![]);
        assert_eq!(again.as_ref(), Some(model));
        assert_eq!(model.aliases, aliases);
    }
    let models = vec!["x=/x.gguf".into()];
    let refused = Overrides { models, ..Overrides::default() }.apply(&mut config);
    assert!(refused.expect_err("an alias").to_string().contains("\"x\" is an alias"));
}

#[test]
fn events_of_an_embedding_model_have_room_for_a_vector() {
    let text = MODEL.replace("chat", "embedding") + "event_bytes_max = 8192\n";
    assert!(complaint(&text).contains("models[0].event_bytes_max: 8192 is out of range"));
    assert!(parse(&(MODEL.to_owned() + "event_bytes_max = 8192\n")).is_ok());
}

#[test]
fn the_default_file_says_the_defaults() {
    let config = parse(DEFAULT).expect("it is valid");
    assert_eq!(config.server, ServerConfig::default());
    assert_eq!(config.auth, AuthConfig::default());
    assert_eq!(config.log, LogConfig::default());
    assert_eq!(config.admin.model_dirs, [Path::new("/node/models")]);
    assert_eq!(config.admin.app_dirs, [Path::new("/node/apps")]);
    assert_eq!(config.worker, SupervisionConfig::default());
    assert_eq!(config.responses, ResponsesConfig::default());
    assert_eq!(config.files, FilesConfig::in_folder("/node/files".into()));
    assert_eq!(config.compile, CompileConfig::in_home(Path::new("/node")));
    assert_eq!(config.coder, CoderConfig::default());
    let names: Vec<_> = config.models.iter().map(|model| model.model.name.as_str()).collect();
    assert_eq!(names, ["SmolLM2-135M-Instruct", "all-MiniLM-L6-v2"]);
    assert_eq!(config.models[0].model.context_tokens, Some(2048));
    assert_eq!(config.models[1].app.path, Path::new("/node/apps/embed.wasm"));
}

/// Every commented-out key of the default file is a key with that default.
#[test]
fn the_default_file_documents_every_key() {
    let lines = DEFAULT
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line));
    let text: Vec<_> = lines.collect();
    let text = text.join("\n");
    let with_all = parse(&text).unwrap_or_else(|error| panic!("{error:#}"));
    for key in [
        "instructions_max",
        "tensor_split",
        "backends_dir",
        "threads",
        "binary",
        "aliases",
        "load",
        "idle_unload_s",
        "model_dirs",
        "url",
        "api_key_env",
        "silence_timeout_ms",
    ] {
        assert!(text.lines().any(|line| line.starts_with(key)), "{key} is not documented");
    }
    let (with_all, plain) =
        (&with_all.models[0].app, &parse(DEFAULT).expect("valid").models[0].app);
    assert_eq!(with_all.instances_max, plain.instances_max);
}

/// `scripts/run --profile coder` starts with it.
#[test]
fn the_coders_config_is_valid() {
    let config = parse(include_str!("../../../../config/coder.toml")).expect("valid");
    assert_eq!(config.models[0].model.context_tokens, Some(8192));
}

const UPSTREAM: &str = "[[upstreams]]\nname = \"u\"\nkind = \"chat\"\nurl = \"http://a/v1/\"\n";

#[test]
fn what_helps_to_generate_is_for_chat_models() {
    for kind in ["embedding", "rerank"] {
        let model = MODEL.replace("chat", kind);
        parse(&model).expect("valid");
        let said =
            complaint(&format!("{model}draft_path = \"d.gguf\"\nmmproj_path = \"p.gguf\"\n"));
        for key in ["draft_path", "mmproj_path"] {
            assert!(said.contains(&format!("models[0].{key}: is for chat models")), "{said}");
        }
    }
}

#[test]
fn a_limit_on_pictures_is_for_a_model_that_reads_them() {
    let said = complaint(&format!("{MODEL}picture_tokens_max = 64\n"));
    assert!(
        said.contains("models[0].picture_tokens_max: is for models with a projector"),
        "{said}"
    );
    parse(&format!("{MODEL}picture_tokens_max = 64\nmmproj_path = \"p.gguf\"\n")).expect("valid");
}

#[test]
fn an_upstream_is_read_and_its_mistakes_are_told() {
    let config = parse(UPSTREAM).expect("a node may serve nothing of its own");
    let upstream = &config.upstreams[0];
    assert_eq!((&*upstream.url, &*upstream.model, &upstream.api_key), ("http://a/v1", "u", &None));
    assert!(config.models.is_empty() && !upstream.required);
    let said = complaint(&format!("{MODEL}{}", UPSTREAM.replace("\"u\"", "\"m\"")));
    assert!(said.contains("upstreams[0].name: \"m\" names another model already"), "{said}");
    let blind = UPSTREAM.replace("\"chat\"", "\"embedding\"") + "pictures = true\n";
    let said = complaint(&blind);
    assert!(said.contains("upstreams[0].pictures: is for chat models"), "{said}");
    let said = complaint(
        "[[upstreams]]\nname = \"a b\"\nurl = \"http://key@a/v1?x=1\"\napi_key = \"sk-1\"\n\
         api_key_env = \"K\"\napi_key_file = \"k\"\nheaders = { API-Key = \"sk-1\" }\n\
         requests_max = 0\n",
    );
    for key in [
        "upstreams[0].name: \"a b\"",
        "upstreams[0].kind: is missing",
        "upstreams[0].url: the URL can't be read: it holds a user or a password",
        "upstreams[0].api_key: unknown key",
        "upstreams[0].api_key_env: write this or api_key_file",
        "upstreams[0].headers.API-Key: write a key's file",
        "upstreams[0].requests_max: 0 is out of range",
    ] {
        assert!(said.contains(key), "{key} is not in:\n{said}");
    }
}

fn is_setting(text: &str) -> bool {
    if text == "[[upstreams]]" {
        return true;
    }
    let key = text.split(" = ").next().unwrap_or("");
    text.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[test]
fn the_public_address_is_one() {
    for url in ["", "example.org", "https://", "https://x/", "https://x y", "ftp://x", "http://x?y"]
    {
        assert!(
            complaint(&format!("[server]\npublic_url = {url:?}\n")).contains("public_url"),
            "{url}"
        );
    }
}

#[test]
fn only_layers_that_there_are_can_be_accepted() {
    let with = |line: &str| format!("[compile]\n{line}\n{MODEL}");
    assert!(complaint(&with("accept = [\"door\"]")).contains("compile.accept"));
    assert!(complaint(&with("at_once = 0")).contains("compile.at_once: 0 is out of range"));
    assert!(complaint(&with("run_time_ms = 70000")).contains("compile.run_time_ms: must not be"));
    let config = parse(&with("accept = [\"cpu-weight\"]")).expect("valid");
    assert_eq!(config.compile.accept, [gaia_sandbox::jail::Layer::CpuWeight]);
}

#[test]
fn the_command_line_names_files() {
    let models = vec!["b=/b.gguf".into(), "/c.gguf".into(), "all-MiniLM-L6-v2=/d.gguf".into()];
    let mut config = parse(DEFAULT).expect("valid");
    Overrides { models, ..Overrides::default() }.apply(&mut config).expect("they are names");
    let found: Vec<_> = config.models.iter().map(|m| (&*m.model.name, &*m.model.path)).collect();
    let path = Path::new;
    let wanted =
        [("b", path("/b.gguf")), ("all-MiniLM-L6-v2", path("/d.gguf")), ("c", path("/c.gguf"))];
    assert_eq!(found, wanted);
    assert_eq!(config.models[0].model.context_tokens, None);
}

#[test]
fn the_world_is_served_only_when_that_is_meant() {
    let open = format!("[server]\nlisten = \"0.0.0.0:80\"\n{MODEL}");
    let said = parse(&open).expect("valid").check_exposure().expect_err("refused").to_string();
    assert!(said.contains("allow_unauthenticated_remote"), "{said}");
    let meant = open.replace("[server]", "[server]\nallow_unauthenticated_remote = true");
    assert!(parse(&meant).expect("valid").check_exposure().is_ok());
}
