"""A static host for page tests that can misbehave: wrong bytes, HTML for a file, broken bodies."""

import mimetypes
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from onnxpress.runtime import RUNTIME, runtime_files

TYPES = {".js": "text/javascript", ".html": "text/html; charset=utf-8", ".wasm": "application/wasm"}

# As published, and beside it each module by itself, for pages that test one.
PUBLISHED: dict[str, bytes | Path] = {
    **{f"/rt/{name}": content for name, content in runtime_files().items()}, "/rt/": RUNTIME}

Answer = tuple[int, str, bytes]  # status, content type, body
Fault = Callable[[Answer], Answer | None]  # None: the connection breaks in the middle of the body


class Handler(BaseHTTPRequestHandler):
    site: "PageServer"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait for the headers' delayed acknowledgement

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.site.requests[path] = self.site.requests.get(path, 0) + 1
        whole = self.site.answer(path)
        waiting = self.site.faults.get(path, [])
        given = waiting.pop(0)(whole) if waiting else whole
        status, kind, body = given or whole
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)),
                            "Cache-Control": "no-store", **self.site.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if given else body[: len(body) // 2])
        if not given:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


class PageServer:
    """`files`: URL path -> content, or a folder for all paths below. `requests` counts by path;
    `faults` changes answers: path -> one fault per request, used up in order."""

    handler = Handler

    def __init__(self, files: Mapping[str, bytes | Path], headers: Mapping[str, str] = {}) -> None:
        self.files, self.headers = dict(files), dict(headers)
        self.requests: dict[str, int] = {}
        self.faults: dict[str, list[Fault]] = {}

    def __enter__(self) -> "PageServer":
        handler = type("BoundHandler", (self.handler,), {"site": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str) -> Answer:
        for prefix, content in self.files.items():
            if isinstance(content, Path) and path.startswith(prefix):
                file = content / path.removeprefix(prefix)
                if file.is_file():
                    return 200, self._type(path), file.read_bytes()
            elif path == prefix:
                return 200, self._type(path), content
        return 404, "text/html", b"<!doctype html><h1>Not found</h1>"

    @staticmethod
    def _type(path: str) -> str:
        suffix = Path(path).suffix
        return TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
