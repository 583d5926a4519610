"""Plain HTTP for the scripts that need no SDK: one connection each time, bytes in, bytes out."""

import http.client
import json
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PATIENCE_SECONDS = 300
JSON = "application/json"


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    def json(self):
        """None when the body is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Node:
    def __init__(self, url: str, key: str, patience_s: float = PATIENCE_SECONDS) -> None:
        self.patience_s = patience_s
        self.host = urlsplit(url).hostname
        self.port = urlsplit(url).port or 80
        self.key = key

    def _open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=self.patience_s)

    def _headers(self, length: int, kind: str = JSON) -> dict:
        return {"Content-Type": kind, "Authorization": f"Bearer {self.key}", "Content-Length": str(length)}

    def get(self, path: str) -> Reply:
        return self._ask("GET", path, b"", JSON)

    def delete(self, path: str) -> Reply:
        return self._ask("DELETE", path, b"", JSON)

    def post(self, path: str, body, kind: str = JSON) -> Reply:
        """`body`: bytes as they are, anything else as JSON."""
        return self._ask("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), kind)

    def _ask(self, method: str, path: str, body: bytes, kind: str) -> Reply:
        connection = self._open()
        try:
            connection.request(method, path, body, self._headers(len(body), kind))
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, headers, answer.read())
        finally:
            connection.close()

    def abandon(self, path: str, body: dict, pieces: int) -> None:
        """Reads so many pieces of the answer, then resets the connection as a dying client does."""
        data = json.dumps(body).encode()
        connection = self._open()
        try:
            connection.request("POST", path, data, self._headers(len(data)))
            kept = connection.sock
            if pieces:
                answer = connection.getresponse()
                for _ in range(pieces):
                    answer.readline()
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """Each metric's sum over its labels."""
        totals = {}
        for line in self.get("/metrics").body.decode().splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.split("{")[0]
                totals[name] = totals.get(name, 0) + float(value)
        return totals

    def pid(self) -> int:
        """The process that listens on the port, found in /proc: the node runs on this machine."""
        wanted = f":{self.port:04X}"
        inodes = {fields[9] for table in ("tcp", "tcp6")
                  for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
                  if fields[1].endswith(wanted) and fields[3] == "0A"}
        for process in filter(str.isdigit, os.listdir("/proc")):
            if inodes & _sockets(process):
                return int(process)
        raise LookupError(f"no process of ours listens on port {self.port}: run this beside the node")


def _sockets(process: str) -> set[str]:
    try:
        links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{process}/fd")]
    except OSError:
        return set()
    return {link[len("socket:["):-1] for link in links if link.startswith("socket:[")}


def children(pid: int) -> list[int]:
    return [int(child) for task in os.listdir(f"/proc/{pid}/task")
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
