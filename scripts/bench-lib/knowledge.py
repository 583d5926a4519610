"""Measures the node's knowledge bases on real text: the Rust documentation that came with the toolchain.
`scripts/bench knowledge` calls this.

For each size: how fast chunks come in, what a search takes while others search too, what the node's
memory is, how long an export, a snapshot and a restore take, how many of the ten nearest an index finds
(against comparing all), and how well dense, BM25 and hybrid search rank (nDCG@10: the question is a
heading, the right answers are the chunks of its section). And what retrieval adds to the first token.
"""

import argparse
import base64
import concurrent.futures
import http.client
import json
import math
import operator
import random
import shutil
import statistics
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import defaultdict
from pathlib import Path

import machine
import servers

COLLECTION = "bench"
EMBEDDER = "embed"
BRING_AT_ONCE = 4
DEPTH = 10


def main() -> None:
    options = read_options()
    reason = None if options.force else machine.busy_reason()
    if reason:
        sys.exit(f"the machine is busy ({reason}); --force measures all the same")
    if not shutil.which("zstd"):
        sys.exit("the program zstd is missing: exports are read with it")
    server = start(options)
    results = {"machine": machine.describe(), "sizes": []}
    try:
        bench = Bench(server, options)
        for size in options.chunks:
            results["sizes"].append(bench.measure(size))
            save(results, options)
        results["first_token"] = bench.first_token()
    finally:
        server.stop()
    save(results, options)
    print(table(results))
    say(f"results: {options.results}/knowledge.json")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench knowledge", description=__doc__)
    for name in ("home", "checkout", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--chunks", type=lambda text: [int(part) for part in text.split(",")], default=[10_000, 100_000])
    parser.add_argument("--docs", type=Path, help="a folder of HTML; by default the toolchain's")
    parser.add_argument("--node", type=Path, help="the program; by default the installed one")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--searches", type=int, default=2000, help="for each mode and level")
    parser.add_argument("--levels", type=lambda text: [int(part) for part in text.split(",")], default=[1, 8, 32])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--force", action="store_true")
    return parser.parse_args()


def start(options: argparse.Namespace) -> servers.Server:
    home, config = options.home, options.results / "knowledge.toml"
    chat, embedding = (next((home / "models").glob(name)) for name in ("SmolLM2*.gguf", "*MiniLM*.gguf"))
    config.write_text(
        f'[knowledge]\nfolder = "{options.results}/knowledge"\nsnapshot_dirs = ["{options.results}"]\n'
        f'[compile]\nenabled = false\n'
        f'[[models]]\nname = "chat"\nkind = "chat"\npath = "{chat}"\napp = "{home}/apps/chat.wasm"\ncontext_tokens = 2048\n'
        f'[[models]]\nname = "{EMBEDDER}"\nkind = "embedding"\npath = "{embedding}"\napp = "{home}/apps/embed.wasm"\n')
    places = servers.Places(home=home, checkout=options.checkout, results=options.results, models={}, peer="",
                            threads=machine.cores())
    port = servers.free_port()
    program = options.node or servers.node_program(places)
    command = [program, "start", "--config", config, "--listen", f"127.0.0.1:{port}"]
    return servers.start_program("node", command, port, "/ready", places)


class Refused(Exception):
    """The node's own words."""


class Client:
    """One kept connection for each thread."""

    def __init__(self, url: str):
        self.authority, self.local = urllib.parse.urlsplit(url).netloc, threading.local()

    def ask(self, method: str, path: str, body: bytes | dict | None = None) -> bytes:
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        is_kept = hasattr(self.local, "connection")
        if not is_kept:
            self.local.connection = http.client.HTTPConnection(self.authority, timeout=3600)
        try:
            self.local.connection.request(method, path, data, {"content-type": kind})
            answer = self.local.connection.getresponse()
            content = answer.read()
        except OSError as error:
            del self.local.connection
            # The node closes a connection that nobody used for a while.
            if is_kept and not isinstance(error, TimeoutError):
                return self.ask(method, path, body)
            raise
        if answer.status >= 300:
            raise Refused(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content

    def json(self, method: str, path: str, body: bytes | dict | None = None) -> dict:
        return json.loads(self.ask(method, path, body))


class Bench:
    def __init__(self, server: servers.Server, options: argparse.Namespace):
        self.server, self.options, self.client = server, options, Client(server.url)
        self.documents = iter(documents(options))
        self.chance = random.Random(options.seed)
        self.client.json("POST", "/v1/knowledge/collections", {"name": COLLECTION, "embedder": EMBEDDER})

    def measure(self, size: int) -> dict:
        found = {"wanted": size, **self.bring(size)}
        say(f"{found['chunks']} chunks, {found['chunks_per_s']:.0f} a second")
        found["optimize_s"] = timed(lambda: self.client.json("POST", f"{of()}/optimize"))[0]
        found["memory_mib"] = resident_mib(self.server.pid)
        points = self.export(found)
        questions = self.questions(points)
        found["questions"] = len(questions)
        found["latency_ms"] = self.latency([question for question, _ in questions])
        found["recall_at_10"] = self.recall(points, questions)
        found["ndcg_at_10"] = {mode: self.ndcg(mode, questions) for mode in ("vector", "words", "hybrid")}
        found.update(self.restore(size))
        return found

    def bring(self, size: int) -> dict:
        """Brings documents in until there are so many chunks; what they were before counts for nothing."""
        before, begun, tokens = self.points(), time.monotonic(), 0
        lock, failed = threading.Lock(), []

        def worker() -> None:
            while self.points() < size:
                with lock:
                    path = next(self.documents, None)
                if path is None:
                    return
                name = urllib.parse.quote(str(path)[-200:], safe="")
                try:
                    self.client.json("PUT", f"{of()}/documents?name={name}", path.read_bytes())
                except Refused as error:
                    failed.append(str(error))
                    if len(failed) > 100:
                        raise

        with concurrent.futures.ThreadPoolExecutor(BRING_AT_ONCE) as pool:
            for done in [pool.submit(worker) for _ in range(BRING_AT_ONCE)]:
                done.result()
        took, chunks = time.monotonic() - begun, self.points()
        return {"chunks": chunks, "chunks_per_s": (chunks - before) / took, "unreadable_documents": len(failed)}

    def points(self) -> int:
        return self.client.json("GET", of())["points"]

    def export(self, found: dict) -> list[dict]:
        file = self.options.results / f"{found['chunks']}.jsonl.zst"
        found["export_s"], _ = timed(lambda: self.client.json("POST", f"{of()}/export", {"file": str(file)}))
        found["export_mib"] = file.stat().st_size / (1 << 20)
        found["import_s"], _ = timed(lambda: self.client.json(
            "POST", f"/v1/knowledge/collections/{COLLECTION}-imported/import", {"source": str(file), "replace": True}))
        self.client.ask("DELETE", f"/v1/knowledge/collections/{COLLECTION}-imported")
        lines = subprocess.run(["zstd", "-dc", file], capture_output=True, check=True).stdout.splitlines()
        file.unlink()
        return [json.loads(line) for line in lines[1:-1]]

    def questions(self, points: list[dict]) -> list[tuple[str, set[str]]]:
        """Headings that stand over one section alone, and that section's chunks."""
        sections = defaultdict(set)
        for point in points:
            heading = point["payload"].get("heading", "").split(" › ")[-1].strip()
            if len(heading.split()) >= 2:
                sections[heading, point["payload"]["document"]].add(point["id"])
        by_heading = defaultdict(list)
        for (heading, _), ids in sections.items():
            by_heading[heading].append(ids)
        alone = sorted((heading, ids[0]) for heading, ids in by_heading.items() if len(ids) == 1)
        return self.chance.sample(alone, min(self.options.questions, len(alone)))

    def search(self, question: str, mode: str) -> list[str]:
        body = {"query": question, "collections": [COLLECTION], "limit": DEPTH, "mode": mode}
        return [passage["id"] for passage in self.client.json("POST", "/v1/knowledge/search", body)["passages"]]

    def latency(self, questions: list[str]) -> dict:
        """p50 and p99 by level and mode; `embedding` is what of `vector` and `hybrid` is not the search."""
        asks = {mode: lambda text, mode=mode: self.search(text, mode) for mode in ("words", "vector", "hybrid")}
        asks["embedding"] = self.embed
        found = {}
        for level in self.options.levels:
            for name, ask in asks.items():
                times = self.times(ask, questions, level)
                found[f"{name}, {level} at once"] = {"p50": quantile(times, 0.5), "p99": quantile(times, 0.99)}
        return found

    def times(self, ask, questions: list[str], level: int) -> list[float]:
        count = self.options.searches
        texts = [f"{self.chance.choice(questions)} {self.chance.randrange(10**6)}" for _ in range(count)]
        with concurrent.futures.ThreadPoolExecutor(level) as pool:
            list(pool.map(ask, texts[:level * 2]))
            return [took * 1000 for took, _ in pool.map(lambda text: timed(lambda: ask(text)), texts)]

    def embed(self, text: str) -> list[float]:
        body = {"model": EMBEDDER, "input": text, "encoding_format": "base64"}
        data = base64.b64decode(self.client.json("POST", "/v1/embeddings", body)["data"][0]["embedding"])
        return list(struct.unpack(f"<{len(data) // 4}f", data))

    def recall(self, points: list[dict], questions: list[tuple[str, set[str]]]) -> float:
        """Against comparing with all. The ten nearest texts count once, as the search gives them."""
        shares = []
        for question, _ in questions[:50]:
            asked = self.embed(question)
            near = sorted(points, key=lambda point: -sum(map(operator.mul, asked, point["vector"])))
            texts, nearest = set(), []
            for point in near[:DEPTH * 5]:
                text = " ".join(point["payload"]["source"].split())
                if text not in texts:
                    texts.add(text)
                    nearest.append(point)
            wanted = {text_of(point) for point in nearest[:DEPTH]}
            body = {"query": question, "collections": [COLLECTION], "limit": DEPTH * 2, "mode": "vector"}
            found = self.client.json("POST", "/v1/knowledge/search", body)["passages"][:DEPTH]
            shares.append(len(wanted & {" ".join(one["text"].split()) for one in found}) / max(1, len(wanted)))
        return statistics.mean(shares)

    def ndcg(self, mode: str, questions: list[tuple[str, set[str]]]) -> float:
        scores = []
        for question, right in questions:
            found = self.search(question, mode)
            gain = sum(1 / math.log2(place + 2) for place, one in enumerate(found) if one in right)
            best = sum(1 / math.log2(place + 2) for place in range(min(DEPTH, len(right))))
            scores.append(gain / best)
        return statistics.mean(scores)

    def restore(self, size: int) -> dict:
        file = self.options.results / f"{size}.snapshot"
        snapshot_s, _ = timed(lambda: self.client.json("POST", f"{of()}/snapshot", {"file": str(file)}))
        path = f"/v1/knowledge/collections/{COLLECTION}-restored"
        restore_s, _ = timed(lambda: self.client.json("POST", f"{path}/restore", {"snapshot": str(file)}))
        self.client.ask("DELETE", path)
        mib = file.stat().st_size / (1 << 20)
        file.unlink()
        return {"snapshot_s": snapshot_s, "snapshot_mib": mib, "restore_s": restore_s}

    def first_token(self) -> dict:
        """What retrieval adds; a question that was not asked before, so that nothing is in the cache. The
        passages themselves make the prompt longer, so it is compared with a prompt as long as that."""
        plain, grounded, searching, embedding = [], [], [], []
        for number in range(30):
            question = f"What is ownership in case {number * 7919 + self.chance.randrange(10**6)}?"
            knowledge = {"collections": [COLLECTION], "limit": 3, "mode": "hybrid", "tokens_max": 400}
            took, passages = self.stream(question, knowledge)
            grounded.append(took)
            text = "\n".join(passage["text"] for passage in passages)
            plain.append(self.stream(f"{question} {number}\n{text}", False)[0])
            searching.append(timed(lambda: self.search(question + " again", "hybrid"))[0] * 1000)
            embedding.append(timed(lambda: self.embed(question + " once more"))[0] * 1000)
        return {name: statistics.median(times) for name, times in
                {"grounded_ms": grounded, "same_length_ms": plain, "search_ms": searching, "embedding_ms": embedding}.items()}

    def stream(self, question: str, knowledge) -> tuple[float, list]:
        """Milliseconds to the first text, and what was cited."""
        body = {"model": "chat", "stream": True, "max_tokens": 2, "temperature": 0, "knowledge": knowledge,
                "messages": [{"role": "user", "content": question}]}
        connection = http.client.HTTPConnection(self.client.authority, timeout=600)
        begun, cited = time.monotonic(), []
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        while line := answer.readline():
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            cited = chunk.get("citations", cited)
            if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                break
        took = (time.monotonic() - begun) * 1000
        connection.close()
        return took, cited


def documents(options: argparse.Namespace) -> list[Path]:
    """Pages with text, the same order each time: the books first, which read like a person's documents."""
    folder = options.docs
    if folder is None:
        root = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
        folder = Path(root) / "share/doc/rust/html"
    pages = sorted(page for page in folder.rglob("*.html") if page.name not in ("print.html", "all.html", "toc.html"))
    if not pages:
        sys.exit(f"{folder} holds no HTML: install the toolchain's documentation (rustup component add rust-docs)")
    random.Random(options.seed).shuffle(pages)
    return sorted(pages, key=lambda page: page.relative_to(folder).parts[0] in ("std", "core", "alloc"))


def of() -> str:
    return f"/v1/knowledge/collections/{COLLECTION}"


def text_of(point: dict) -> str:
    return " ".join(point["payload"]["source"].split())


def timed(work) -> tuple[float, object]:
    begun = time.monotonic()
    done = work()
    return time.monotonic() - begun, done


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def resident_mib(pid: int) -> float:
    """Of the node alone: its workers hold models."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def save(results: dict, options: argparse.Namespace) -> None:
    (options.results / "knowledge.json").write_text(json.dumps(results, indent=1))


def table(results: dict) -> str:
    lines = ["| | " + " | ".join(f"{size['chunks']} chunks" for size in results["sizes"]) + " |",
             "|---|" + "---|" * len(results["sizes"])]
    rows = {"indexed, chunks/s": "chunks_per_s", "memory of the node, MiB": "memory_mib", "optimize, s": "optimize_s",
            "export, s": "export_s", "import, s": "import_s", "snapshot, s": "snapshot_s", "restore, s": "restore_s"}
    for name, key in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{size[key]:.1f}" for size in results["sizes"]) + " |")
    for name in results["sizes"][0]["latency_ms"]:
        cells = [size["latency_ms"][name] for size in results["sizes"]]
        lines.append(f"| {name}: p50 / p99, ms | " + " | ".join(f"{c['p50']:.1f} / {c['p99']:.1f}" for c in cells) + " |")
    lines.append("| recall@10 | " + " | ".join(f"{size['recall_at_10']:.3f}" for size in results["sizes"]) + " |")
    for mode in ("vector", "words", "hybrid"):
        lines.append(f"| nDCG@10, {mode} | " + " | ".join(f"{size['ndcg_at_10'][mode]:.3f}" for size in results["sizes"]) + " |")
    first = results["first_token"]
    lines += ["", f"First token: {first['grounded_ms']:.1f} ms with retrieval, {first['same_length_ms']:.1f} ms with the same "
              f"text in the prompt; a search takes {first['search_ms']:.1f} ms, of which embedding {first['embedding_ms']:.1f} ms."]
    return "\n".join(lines)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
