"""Many requests of mixed kinds with random disconnects, then a look at what they left behind.

    soak.py BASE_URL NODE_PID [COUNT]      (10,000 requests unless told otherwise; standard library only)

Fails if the node stops answering, if a sequence or an instance is still in use after the last request,
or if threads, open files or memory of host and workers have grown beyond what they were early on.
"""
import http.client
import json
import os
import random
import re
import sys
import threading
import time
from urllib.parse import urlparse

THREADS = 24
WORDS = "river stone cloud lamp forest mirror copper violet winter engine letter garden".split()
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "required": ["city"], "additionalProperties": False,
    "properties": {"city": {"type": "string", "maxLength": 8}}}}}
SCHEMA = {"type": "object", "required": ["a"], "additionalProperties": False,
          "properties": {"a": {"type": "string", "maxLength": 6}}}


def text(rng, words):
    return " ".join(rng.choice(WORDS) for _ in range(words))


def request(rng):
    """A path, a body, and the statuses that are right for it."""
    chat = {"model": "chat", "max_tokens": rng.randint(1, 6),
            "messages": [{"role": "user", "content": text(rng, rng.randint(1, 30))}]}
    good = {200, 429, 503}
    kind = rng.randrange(10)
    if kind == 0:
        return "/v1/embeddings", {"model": "embed", "input": [text(rng, 8)] * rng.randint(1, 4)}, good
    if kind == 1:
        return "/tokenize", {"model": "chat", "content": text(rng, 20)}, good
    if kind == 2:
        tools = {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False}
        return "/v1/chat/completions", {**chat, **tools, "max_tokens": 24}, good
    if kind == 3:
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
        return "/v1/chat/completions", {**chat, "response_format": form, "max_tokens": 20}, good
    if kind == 4:
        return "/v1/completions", {"model": "chat", "prompt": text(rng, 5), "max_tokens": 3}, good
    if kind == 5:
        bad = rng.choice([{"temperature": "x"}, {"n": 0}, {"model": "none"}, {"messages": []}])
        return "/v1/chat/completions", {**chat, **bad}, {400, 404, 429, 503}
    if kind == 6:
        return "/v1/responses", {"model": "chat", "input": text(rng, 6), "max_output_tokens": 4}, good
    if kind == 7:
        return "/v1/chat/completions", {**chat, "n": 2}, good
    return "/v1/chat/completions", {**chat, "stream": True, "max_tokens": 30}, good


class Worker(threading.Thread):
    def __init__(self, url, numbers, faults):
        super().__init__(daemon=True)
        self.url, self.numbers, self.faults = url, numbers, faults

    def run(self):
        for number in self.numbers:
            try:
                self.one(random.Random(number))
            except Exception as error:  # the report names what no server should do
                self.faults.append(f"request {number}: {type(error).__name__}: {error}")

    def one(self, rng):
        path, body, right = request(rng)
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=120)
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        if rng.random() < 0.2:  # gone before the answer
            time.sleep(rng.random() * 0.3)
            connection.close()
            return
        response = connection.getresponse()
        if response.status not in right:
            self.faults.append(f"{path} {body}: {response.status} {response.read()[:200]}")
        elif rng.random() < 0.2:  # gone in the middle of it
            response.read(rng.randint(1, 200))
        else:
            response.read()
        connection.close()


def metric(url, name):
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    connection.request("GET", "/metrics")
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$",
                        connection.getresponse().read().decode(), re.M)
    return sum(map(float, values))


def processes(pid):
    tasks = [f"/proc/{pid}/task/{task}/children" for task in os.listdir(f"/proc/{pid}/task")]
    return [pid, *(int(child) for task in tasks for child in open(task).read().split())]


def usage(pid):
    """Threads, open files and resident MiB of host and workers."""
    numbers = {"threads": 0, "files": 0, "MiB": 0}
    for process in processes(pid):
        status = open(f"/proc/{process}/status").read()
        numbers["threads"] += int(re.search(r"Threads:\s+(\d+)", status)[1])
        numbers["MiB"] += int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024
        numbers["files"] += len(os.listdir(f"/proc/{process}/fd"))
    return numbers


def run(url, numbers, faults):
    lots = [numbers[index::THREADS] for index in range(THREADS)]
    threads = [Worker(url, lot, faults) for lot in lots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def settle(url):
    for _ in range(100):
        left = metric(url, "gaia_sequences_active") + metric(url, "gaia_instances_active")
        if left == 0:
            return 0
        time.sleep(0.1)
    return left


def main():
    url, pid = urlparse(sys.argv[1]), int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
    early = max(count // 5, 1)
    faults = []
    run(url, range(early), faults)
    settle(url)
    before = usage(pid)
    run(url, range(early, count), faults)
    left = settle(url)
    time.sleep(1)
    after = usage(pid)
    print(f"after {early} requests: {before}; after {count}: {after}; still in use: {left}")
    for fault in faults[:10]:
        print(fault)
    limits = {"threads": 4, "files": 8, "MiB": 64 + before["MiB"] // 20}
    grown = [name for name in before if after[name] > before[name] + limits[name]]
    if faults or left or grown:
        sys.exit(f"FAILED: {len(faults)} faults, {left} in use, grown: {grown}")
    print("all checks passed")


main()
