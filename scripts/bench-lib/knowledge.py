"""Measures the node's knowledge bases on real text: the Rust documentation that came with the toolchain.
`scripts/bench knowledge` calls this.

For each size: how fast chunks come in, what a search takes while others search too, what the node's
memory is, how long an export, a snapshot and a restore take, how many of the ten nearest an index finds
(against comparing all), and how well dense, BM25 and hybrid search rank (nDCG@10: the question is a
heading, the right answers are the chunks of its section). And what retrieval adds to the first token.

All times are a client's, in Python on the same cores: the row `nothing` is a request that does nothing.
"""

import argparse
import base64
import concurrent.futures
import json
import math
import random
import shutil
import statistics
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import enlarge
import exact
import first_token
import machine
import servers
from client import Client, Refused

COLLECTION = "bench"
EMBEDDER = "embed"
BRING_AT_ONCE = 4
# Documents that the node may refuse before the bench gives up.
UNREADABLE_MAX = 100
DEPTH = 10
# Searches and embeddings of the same text, one behind the other, for what a search takes beyond the embedding.
PAIRS = 300
# A page of less says where another page is.
PAGE_BYTES_MIN = 2048
MODES = ("vector", "words", "hybrid")


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
        for size in options.mixed:
            results["sizes"].append(bench.measure_mixed(size))
            save(results, options)
        results["first_token"] = bench.first_token()
    finally:
        server.stop()
        shutil.rmtree(options.results / "knowledge", ignore_errors=True)
    save(results, options)
    print(table(results))
    say(f"results: {options.results}/knowledge.json")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench knowledge", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("home", "checkout", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--chunks", type=numbers, default=[10_000, 100_000],
                        help="sizes to measure, each more than the one before; 30 chunks a second come in on two cores")
    parser.add_argument("--mixed", type=numbers, default=[],
                        help="then sizes of which all but the real chunks are mixed of these: embedding 100,000 takes an hour")
    parser.add_argument("--docs", type=Path, help="a folder of HTML; by default the toolchain's")
    parser.add_argument("--node", type=Path, help="the program; by default the installed one")
    parser.add_argument("--questions", type=int, default=200, help="for nDCG, and for recall as far as there is time")
    parser.add_argument("--searches", type=int, default=2000, help="for each mode and level at most")
    parser.add_argument("--seconds", type=float, default=20, help="for each mode and level at most")
    parser.add_argument("--levels", type=numbers, default=[1, 8, 32], help="searches at once")
    parser.add_argument("--turns", type=int, default=40, help="answers whose first token is awaited, with retrieval and without")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--force", action="store_true", help="measure on a busy machine too")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def start(options: argparse.Namespace) -> servers.Server:
    home, config = options.home, options.results / "knowledge.toml"
    chat, embedding = servers.small_models(home)
    config.write_text(
        f'[knowledge]\nfolder = "{options.results}/knowledge"\nsnapshot_dirs = ["{options.results}"]\n'
        f'[compile]\nenabled = false\n'
        f'[[models]]\nname = "chat"\nkind = "chat"\npath = "{chat}"\napp = "{home}/apps/chat.wasm"\ncontext_tokens = 2048\n'
        f'[[models]]\nname = "{EMBEDDER}"\nkind = "embedding"\npath = "{embedding}"\napp = "{home}/apps/embed.wasm"\n'
        # All searches of a level wait here, and the documents that come in.
        f'queue_max = {max(options.levels) + 64}\n')
    return servers.start_with(config, servers.plain_places(options), options.node)


class Bench:
    def __init__(self, server: servers.Server, options: argparse.Namespace):
        self.server, self.options, self.client = server, options, Client(server.url)
        self.documents = iter(documents(options))
        self.chance = random.Random(options.seed)
        self.questions, self.asked = [], []
        self.client.json("POST", "/v1/knowledge/collections", {"name": COLLECTION, "embedder": EMBEDDER})

    def measure(self, size: int) -> dict:
        found = {"wanted": size, **self.bring(size)}
        say(f"{found['chunks']} chunks, {found['chunks_per_s']:.0f} a second")
        return self.measure_what_is_there(found)

    def measure_mixed(self, size: int) -> dict:
        """The questions are those of before: new texts are nonsense, and their headings are borrowed."""
        source, target = (self.options.results / f"{name}.jsonl.zst" for name in ("real", "mixed"))
        if not source.exists():
            self.client.json("POST", f"{of()}/export", {"file": str(source)})
        enlarge.enlarge(source, target, size, self.chance)
        took, _ = timed(lambda: self.client.json("POST", f"{of()}/import", {"source": str(target), "replace": True}))
        target.unlink()
        chunks = self.points()
        say(f"{chunks} chunks, mixed, {chunks / took:.0f} a second")
        return self.measure_what_is_there({"wanted": size, "chunks": chunks, "chunks_per_s": chunks / took, "is_mixed": True})

    def measure_what_is_there(self, found: dict) -> dict:
        found["optimize_s"] = timed(lambda: self.client.json("POST", f"{of()}/optimize"))[0]
        found["memory_mib"] = resident_mib(self.server.pid)
        found["disk_mib"] = taken_mib(self.options.results / "knowledge")
        points = self.export(found)
        say(f"exported in {found['export_s']:.0f} s, imported in {found['import_s']:.0f} s")
        if not found.get("is_mixed"):
            self.find_questions(points)
        found["questions"] = len(self.questions)
        found["recall_at_10"], found["recall_questions"] = self.recall(points)
        del points
        if not found.get("is_mixed"):
            found["ndcg_at_10"] = {mode: self.ndcg(mode) for mode in MODES}
        found["beyond_embedding_ms"] = self.beyond_embedding()
        found["latency_ms"] = self.latency()
        found["memory_searched_mib"] = resident_mib(self.server.pid)
        found.update(self.restore(found["chunks"]))
        return found

    def find_questions(self, points: exact.Points) -> None:
        self.questions = points.questions(self.chance, self.options.questions)
        if not self.questions:
            sys.exit("no heading stands over one section alone: there is nothing to ask")
        self.asked = [question for question, _ in self.questions]

    def bring(self, size: int) -> dict:
        """Brings documents in until there are so many chunks; what they were before counts for nothing."""
        before, begun = self.points(), time.monotonic()
        lock, failed = threading.Lock(), []

        def worker() -> None:
            while self.points() < size:
                with lock:
                    name, path = next(self.documents, (None, None))
                if path is None:
                    return
                try:
                    name = urllib.parse.quote(name, safe="")
                    self.client.json("PUT", f"{of()}/documents?name={name}", path.read_bytes())
                except Refused as error:
                    failed.append(str(error))
                    if len(failed) > UNREADABLE_MAX:
                        raise

        with concurrent.futures.ThreadPoolExecutor(BRING_AT_ONCE) as pool:
            for done in [pool.submit(worker) for _ in range(BRING_AT_ONCE)]:
                done.result()
        took, chunks = time.monotonic() - begun, self.points()
        if chunks < size:
            say(f"the documents make {chunks} chunks and not {size}")
        return {"chunks": chunks, "chunks_per_s": (chunks - before) / took, "unreadable": failed}

    def points(self) -> int:
        return self.client.json("GET", of())["points"]

    def export(self, found: dict) -> exact.Points:
        file = self.options.results / f"{found['chunks']}.jsonl.zst"
        found["export_s"], _ = timed(lambda: self.client.json("POST", f"{of()}/export", {"file": str(file)}))
        found["export_mib"] = file.stat().st_size / (1 << 20)
        found["import_s"], _ = timed(lambda: self.client.json(
            "POST", f"/v1/knowledge/collections/{COLLECTION}-imported/import", {"source": str(file), "replace": True}))
        self.client.ask("DELETE", f"/v1/knowledge/collections/{COLLECTION}-imported")
        points = exact.read(file)
        file.unlink()
        return points

    def passages(self, question: str, mode: str, limit: int = DEPTH) -> list[dict]:
        body = {"query": question, "collections": [COLLECTION], "limit": limit, "mode": mode}
        return self.client.json("POST", "/v1/knowledge/search", body)["passages"]

    def embedding(self, text: str) -> str:
        body = {"model": EMBEDDER, "input": text, "encoding_format": "base64"}
        return self.client.json("POST", "/v1/embeddings", body)["data"][0]["embedding"]

    def vector(self, text: str) -> list[float]:
        data = base64.b64decode(self.embedding(text))
        return list(struct.unpack(f"<{len(data) // 4}f", data))

    def new_text(self) -> str:
        """A question that nobody asked before."""
        return f"{self.chance.choice(self.asked)} {self.chance.randrange(10**6)}"

    def beyond_embedding(self) -> dict:
        """What a search takes more than the embedding of the same text, one at a time."""
        more = {"vector": [], "hybrid": []}
        for number in range(PAIRS):
            for mode, times in more.items():
                text = self.new_text()
                works = [lambda: self.passages(text, mode), lambda: self.embedding(text)]
                # Who comes second finds a warmer cache.
                order = (0, 1) if number % 2 else (1, 0)
                took = {place: timed(works[place])[0] for place in order}
                times.append((took[0] - took[1]) * 1000)
        return {mode: {"p50": quantile(times, 0.5), "p90": quantile(times, 0.9)} for mode, times in more.items()}

    def latency(self) -> dict:
        """By level and mode; `embedding` is what of `vector` and `hybrid` is not the search."""
        asks = {mode: lambda text, mode=mode: self.passages(text, mode) for mode in MODES}
        asks = {"nothing": lambda _: self.client.ask("GET", "/ready"), "embedding": self.embedding, **asks}
        found = {}
        for level in self.options.levels:
            for name, ask in asks.items():
                times, took = self.times(ask, level)
                found[f"{name}, {level} at once"] = {
                    "p50": quantile(times, 0.5), "p99": quantile(times, 0.99), "count": len(times),
                    "per_s": len(times) / took}
            say(f"measured {level} at once")
        return found

    def times(self, ask, level: int) -> tuple[list[float], float]:
        """Milliseconds of each, and seconds of all."""
        texts = [self.new_text() for _ in range(self.options.searches)]
        with concurrent.futures.ThreadPoolExecutor(level) as pool:
            list(pool.map(ask, texts[:level * 2]))
            begun = time.monotonic()

            def one(text: str) -> float | None:
                is_over = time.monotonic() - begun > self.options.seconds
                return None if is_over else timed(lambda: ask(text))[0] * 1000

            times = [took for took in pool.map(one, texts) if took is not None]
        return times, time.monotonic() - begun

    def recall(self, points: exact.Points) -> tuple[float, int]:
        """Against comparing with all. The ten nearest texts count once, as the search gives them; among as many
        more points as it looks at here, ten texts are found where a few stand in several documents."""
        shares = []
        for question in self.asked[:points.questions_max()]:
            wanted = points.nearest_texts(self.vector(question), DEPTH)
            found = self.passages(question, "vector", DEPTH * 5)[:DEPTH]
            shares.append(len(wanted & {exact.words(one["text"]) for one in found}) / max(1, len(wanted)))
        return statistics.mean(shares), len(shares)

    def ndcg(self, mode: str) -> float:
        scores = []
        for question, right in self.questions:
            found = [passage["id"] for passage in self.passages(question, mode)]
            gain = sum(1 / math.log2(place + 2) for place, one in enumerate(found) if one in right)
            best = sum(1 / math.log2(place + 2) for place in range(min(DEPTH, len(right))))
            scores.append(gain / best)
        return statistics.mean(scores)

    def restore(self, size: int) -> dict:
        file = self.options.results / f"{size}.snapshot"
        snapshot_s, _ = timed(lambda: self.client.json("POST", f"{of()}/snapshot", {"file": str(file)}))
        path = f"/v1/knowledge/collections/{COLLECTION}-restored"
        restore_s, restored = timed(lambda: self.client.json("POST", f"{path}/restore", {"snapshot": str(file)}))
        if restored["points"] != self.points():
            sys.exit(f"the restored collection has {restored['points']} points: that is not what was kept")
        self.client.ask("DELETE", path)
        mib = file.stat().st_size / (1 << 20)
        file.unlink()
        return {"snapshot_s": snapshot_s, "snapshot_mib": mib, "restore_s": restore_s}

    def first_token(self) -> dict:
        rounds = [first_token.turn(self.client, COLLECTION, self.new_text(), self.embedding)
                  for _ in range(self.options.turns)]
        return first_token.summary([one for one in rounds if one])


def documents(options: argparse.Namespace) -> list[tuple[str, Path]]:
    """Pages with text and their names, the same order each time: the books first, which read like a person's
    documents, and last `core`, which says again what `std` says. Listings of source code are no documents."""
    folder = options.docs
    if folder is None:
        root = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
        folder = Path(root) / "share/doc/rust/html"
    pages = [(page.relative_to(folder), page) for page in sorted(folder.rglob("*.html"))
             if page.name not in ("print.html", "all.html", "toc.html") and page.stat().st_size >= PAGE_BYTES_MIN]
    pages = [(name, page) for name, page in pages if name.parts[0] != "src"]
    if not pages:
        sys.exit(f"{folder} holds no HTML: install the toolchain's documentation (rustup component add rust-docs)")
    random.Random(options.seed).shuffle(pages)
    last = {"std": 1, "alloc": 1, "core": 2}
    pages.sort(key=lambda page: last.get(page[0].parts[0], 0))
    return [(str(name), page) for name, page in pages]


def of() -> str:
    return f"/v1/knowledge/collections/{COLLECTION}"


def timed(work) -> tuple[float, object]:
    begun = time.monotonic()
    done = work()
    return time.monotonic() - begun, done


def quantile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]


def resident_mib(pid: int) -> dict:
    """Of the node alone, for its workers hold models: its own memory, and pages of its files that the system
    may take back."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: int(status[key].split()[0]) / 1024 for name, key in (("own", "RssAnon"), ("files", "RssFile"))}


def taken_mib(folder: Path) -> float:
    return sum(file.stat().st_blocks for file in folder.rglob("*") if file.is_file()) * 512 / (1 << 20)


def save(results: dict, options: argparse.Namespace) -> None:
    (options.results / "knowledge.json").write_text(json.dumps(results, indent=1))


def table(results: dict) -> str:
    sizes = results["sizes"]
    names = [f"{size['chunks']} chunks{', mixed' if size.get('is_mixed') else ''}" for size in sizes]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---|" * len(sizes)]

    def row(name: str, cell) -> None:
        lines.append(f"| {name} | " + " | ".join(cell(size) for size in sizes) + " |")

    for name, key in {"brought in (mixed: imported), chunks/s": "chunks_per_s", "optimize, s": "optimize_s", "on disk, MiB": "disk_mib",
                      "export, s": "export_s", "import, s": "import_s", "snapshot, s": "snapshot_s",
                      "snapshot, MiB": "snapshot_mib", "restore, s": "restore_s"}.items():
        row(name, lambda size, key=key: f"{size[key]:.1f}")
    for name, key in {"memory of the node + pages of its files, MiB": "memory_mib",
                      "… after all searches": "memory_searched_mib"}.items():
        row(name, lambda size, key=key: f"{size[key]['own']:.0f} + {size[key]['files']:.0f}")
    for mode in ("vector", "hybrid"):
        row(f"{mode} search beyond the embedding: p50 / p90, ms",
            lambda size, mode=mode: "{p50:.1f} / {p90:.1f}".format(**size["beyond_embedding_ms"][mode]))
    for name in sizes[0]["latency_ms"]:
        row(f"{name}: p50 / p99, ms (each second)",
            lambda size, name=name: "{p50:.1f} / {p99:.1f} ({per_s:.0f})".format(**size["latency_ms"][name]))
    row("recall@10", lambda size: f"{size['recall_at_10']:.3f}")
    for mode in MODES:
        row(f"nDCG@10, {mode}", lambda size, mode=mode: f"{size['ndcg_at_10'][mode]:.3f}" if "ndcg_at_10" in size else "—")
    return "\n".join([*lines, "", first_token.told(results["first_token"])])


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
