#!/usr/bin/env python3
"""An HTTP server for scripts/lib/test-setup.sh: `test-server.py FOLDER` prints its port.

    /NAME         with ranges, as most servers
    /fixed/NAME   always the whole file
    /cut/NAME     announces the whole file and closes after half of it
"""

import http.server
import re
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        *manner, name = self.path.strip("/").split("/")
        file = FOLDER / Path(name).name
        if not file.is_file():
            self.send_error(404)
            return
        self.answer(file.read_bytes(), manner)

    def answer(self, content: bytes, manner: list):
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and not manner:
            start = int(asked[1])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content) // 2 if manner == ["cut"] else len(content)
        self.wfile.write(content[start:end])


def main() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
