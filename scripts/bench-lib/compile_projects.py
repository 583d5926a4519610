"""Projects that scripts/bench compile sends, and bare cargo over the same files."""

import os
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

MANIFEST = '[package]\nname = "p"\nversion = "0.1.0"\nedition = "2021"\n'
HELLO = {"Cargo.toml": MANIFEST, "src/main.rs": 'fn main() { println!("Hello, World!"); }\n'}
CRATES = {
    "Cargo.toml": MANIFEST + '[dependencies]\nserde = { version = "1", features = ["derive"] }\nserde_json = "1"\n'
    'tokio = { version = "1", features = ["full"] }\nclap = { version = "4", features = ["derive"] }\n',
    "src/main.rs": '#[derive(clap::Parser, serde::Serialize)]\nstruct Options {\n    #[arg(long, default_value_t = 1)]\n'
    '    number: u8,\n}\n\n#[tokio::main]\nasync fn main() {\n    let options = <Options as clap::Parser>::parse();\n'
    '    println!("{}", serde_json::to_string(&options).unwrap());\n}\n',
}
# The same crates, and little for the compiler to do with them.
CALLS = CRATES | {
    "src/main.rs": 'fn main() {\n    let matches = clap::Command::new("p").get_matches();\n'
    '    let runtime = tokio::runtime::Runtime::new().unwrap();\n'
    '    let text = serde_json::json!({"ids": matches.ids().count()}).to_string();\n'
    '    runtime.block_on(async { println!("{text}") });\n}\n',
}


def code(text: str, **more) -> dict:
    return {"code": text, "detail": "summary"} | more


# Each with the verdicts that it may have: limits, refusals and failures are ends like any other.
MIXED = (
    (code("fn main() {}"), {"ok"}),
    (code("fn main() { x }"), {"compile_error"}),
    (code('fn main() { println!("a") }', command="run"), {"ok"}),
    (code("fn main() { std::process::exit(3) }", command="run"), {"runtime_failure"}),
    (code('fn main() { println!("a") }', command="run", target="wasm32-wasip1"), {"ok", "refused"}),
    (code("#[test] fn bad() { panic!() } fn main() {}", command="test"), {"test_failure"}),
    (code("fn main() { loop {} }", command="run", run_time_ms=300), {"timeout"}),
    (code("fn main() { let _ = std::process::Command::new(\"/bin/sleep\").arg(\"1000\").spawn(); }", command="run"), {"ok"}),
    (code("fn main() { loop { println!(\"{}\", \"x\".repeat(1 << 16)) } }", command="run"), {"output_limit", "timeout"}),
    (code("fn main(){}", command="fmt"), {"ok"}),
    ({"files": CRATES, "detail": "summary"}, {"ok"}),
    ({"files": HELLO | {"../x": ""}}, {"refused"}),
)


def mixed(chance: random.Random) -> tuple[dict, set]:
    return chance.choice(MIXED)


class Bare:
    """cargo of the same toolchain over a folder of its own, without any cage."""

    def __init__(self, home: Path) -> None:
        root = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
        self.cargo, self.folder = Path(root) / "bin/cargo", Path(tempfile.mkdtemp(prefix="gaia-bench-"))
        (self.folder / "cargo").mkdir()
        crates = home / "crates/config.toml"
        if crates.exists():
            shutil.copy(crates, self.folder / "cargo/config.toml")

    def start(self, files: dict, command: str, number: int = 0) -> subprocess.Popen:
        project, target = self.folder / f"project{number}", self.folder / f"target{number}"
        for folder in (project, target):
            shutil.rmtree(folder, ignore_errors=True)
        for path, text in files.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            (project / path).write_text(text)
        words = [self.cargo, command, "--offline", "--message-format=json"]
        environment = {"PATH": f"{self.cargo.parent}:/usr/bin:/bin", "HOME": os.fspath(self.folder),
                       "CARGO_HOME": os.fspath(self.folder / "cargo"), "CARGO_TARGET_DIR": os.fspath(target),
                       "CARGO_INCREMENTAL": "0"}
        return subprocess.Popen(words, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seconds(self, files: dict, command: str) -> float:
        begun = time.perf_counter()
        if self.start(files, command).wait() != 0:
            raise RuntimeError(f"bare cargo {command} failed in {self.folder}")
        return time.perf_counter() - begun

    def many(self, count: int, at_once: int) -> float:
        """So many checks of hello world, a few at once: what a shell would do."""
        begun, running = time.perf_counter(), []
        for number in range(count):
            if len(running) == at_once:
                running.pop(0).wait()
            running.append(self.start(HELLO, "check", number))
        for process in running:
            process.wait()
        return time.perf_counter() - begun

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
