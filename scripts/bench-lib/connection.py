"""HTTP/1.1 over one keep-alive connection, as little between the clock and the socket as possible."""

import asyncio
import json
from urllib.parse import urlsplit


class Connection:
    def __init__(self, base_url: str) -> None:
        self.url = urlsplit(base_url)
        self.reader = self.writer = None

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(
            self.url.hostname, self.url.port, limit=1 << 20)

    async def close(self) -> None:
        if self.writer:
            self.writer.close()
            try:
                await self.writer.wait_closed()
            except OSError:
                pass  # The other end was faster.
        self.reader = self.writer = None

    async def post(self, path: str, body: dict):
        """Yields the status, then the body's pieces as they arrive."""
        status, headers = await self._send(self._request(path, body))
        yield status
        async for piece in self._pieces(headers):
            yield piece
        if headers.get("connection", "").lower() == "close":
            await self.close()

    async def post_whole(self, path: str, body: dict) -> tuple[int, bytes]:
        status, whole = 0, b""
        async for piece in self.post(path, body):
            if isinstance(piece, int):
                status = piece
            else:
                whole += piece
        return status, whole

    def _request(self, path: str, body: dict) -> bytes:
        data = json.dumps(body).encode()
        head = (f"POST {path} HTTP/1.1\r\nHost: {self.url.netloc}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n")
        return head.encode() + data

    async def _send(self, request: bytes) -> tuple[int, dict]:
        fresh = self.writer is None
        if fresh:
            await self.open()
        try:
            self.writer.write(request)
            await self.writer.drain()
            line = await self.reader.readuntil(b"\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            # A server may have closed an idle connection: then once more on a fresh one.
            await self.close()
            if fresh:
                raise
            return await self._send(request)
        return int(line.split()[1]), await self._headers()

    async def _headers(self) -> dict:
        headers = {}
        while (line := await self.reader.readuntil(b"\r\n")) != b"\r\n":
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    async def _pieces(self, headers: dict):
        if "chunked" in headers.get("transfer-encoding", "").lower():
            while size := int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16):
                yield (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        elif "content-length" in headers:
            yield await self.reader.readexactly(int(headers["content-length"]))
        else:
            while piece := await self.reader.read(65536):
                yield piece
            await self.close()
