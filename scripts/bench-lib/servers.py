"""Starts the node and llama-server with the same model, slots and threads, on ports the system chooses."""

import argparse
import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import machine

START_PATIENCE_SECONDS = 120
STOP_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Setup:
    """What both serve: `slots` requests at once, each with room for `slot_tokens`."""
    kind: str
    slots: int
    slot_tokens: int


@dataclass(frozen=True)
class Places:
    home: Path
    checkout: Path
    results: Path
    models: dict
    peer: str
    threads: int


@dataclass
class Server:
    name: str
    url: str
    process: subprocess.Popen
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def runs(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class NotStarted(Exception):
    """The message says why, in the server's own last words."""


def start_node(places: Places, setup: Setup) -> Server:
    config = places.results / f"node-{setup.kind}-{setup.slots}.toml"
    config.write_text(
        f'[[models]]\nname = "bench"\nkind = "{setup.kind}"\npath = "{places.models[setup.kind]}"\n'
        f'app = "{places.home}/apps/{"chat" if setup.kind == "chat" else "embed"}.wasm"\n'
        f'threads = {places.threads}\nsequences_max = {setup.slots}\ncontext_tokens = {setup.slot_tokens}\n'
        # Single texts wait here as they wait in llama-server.
        f'queue_max = 64\n'
        # What the user keeps there takes memory that says nothing of the server.
        f'[knowledge]\nfolder = "{places.results}/knowledge"\n')
    return start_with(config, places)


def start_with(config: Path, places: Places, program: Path | None = None) -> Server:
    """A node with a config of its own; of another build, if `program` says so."""
    port = free_port()
    command = [program or node_program(places), "start", "--config", config, "--listen", f"127.0.0.1:{port}"]
    return start_program("node", command, port, "/ready", places)


def plain_places(options: argparse.Namespace) -> Places:
    """Those of a measurement that compares with no peer."""
    return Places(home=options.home, checkout=options.checkout, results=options.results, models={}, peer="",
                  threads=machine.cores())


def small_models(home: Path) -> tuple[Path, Path]:
    """The chat model and the embedding model that setup brings."""
    chat, embedding = (next((home / "models").glob(name), None) for name in ("SmolLM2*.gguf", "*MiniLM*.gguf"))
    if not chat or not embedding:
        sys.exit(f"{home}/models holds no SmolLM2 or no MiniLM: scripts/setup brings them")
    return chat, embedding


def start_peer(places: Places, setup: Setup) -> Server:
    port = free_port()
    arguments = ["--model", places.models[setup.kind], "--port", port, "--threads", places.threads,
                 "--parallel", setup.slots, "--ctx-size", setup.slots * setup.slot_tokens, "--no-webui"]
    if setup.kind == "embedding":
        # The node's step for embeddings holds 2048 tokens too.
        arguments += ["--embedding", "--batch-size", 2048, "--ubatch-size", 2048]
    return start_program("llama-server", [*peer_program(places), *arguments], port, "/health", places)


def node_program(places: Places) -> Path:
    return places.home / "bin" / "gaia-node"


def peer_program(places: Places) -> list:
    private = places.home / "peer"
    return [places.peer] if places.peer else [
        private / "lib/ld-linux-x86-64.so.2", "--library-path", private / "lib", private / "bin/llama-server"]


def _working_directory(command: list, places: Places) -> Path:
    """Debian's ggml looks for its CPU modules in the working directory when it is not installed."""
    return places.home / "peer/backends" if command[0] == places.home / "peer/lib/ld-linux-x86-64.so.2" else Path.cwd()


def start_program(name: str, command: list, port: int, ready: str, places: Places) -> Server:
    log = places.results / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, cwd=_working_directory(command, places))
    server = Server(name, f"http://127.0.0.1:{port}", process, log)
    try:
        _await_ready(server, ready)
    except BaseException:
        server.stop()
        raise
    return server


def _await_ready(server: Server, path: str) -> None:
    deadline = time.monotonic() + START_PATIENCE_SECONDS
    while not _answers(server.url + path):
        if not server.runs():
            raise NotStarted(f"the {server.name} ended while starting: {last_words(server.log)}")
        if time.monotonic() > deadline:
            raise NotStarted(f"the {server.name} is not ready after {START_PATIENCE_SECONDS} s: {last_words(server.log)}")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-400:]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def versions(places: Places) -> dict:
    """Of both programs, and of the checkout: a binary's digest tells whether it was built from there."""
    return {
        "node": _said([node_program(places), "--version"], places),
        "node_binary_sha256": hashlib.sha256(node_program(places).read_bytes()).hexdigest()[:16],
        "peer": _said([*peer_program(places), "--version"], places),
        "commit": _commit(places),
        "model": {kind: f"{path.name} ({path.stat().st_size / 1e6:.0f} MB)" for kind, path in places.models.items()},
    }


def _said(command: list, places: Places) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60,
                          cwd=_working_directory(command, places), check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "version" in line or "gaia" in line]
    return lines[0].strip() if lines else f"unknown (status {done.returncode})"


def _commit(places: Places) -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", os.fspath(places.checkout), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    commit = git("rev-parse", "--short=12", "HEAD")
    return (commit + (" and uncommitted changes" if git("status", "--porcelain") else "")) or "not a git checkout"
