"""A host that breaks as networks and hosts do, one trick per request, and a page with a demo."""

import gzip
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.page_server import PUBLISHED, Answer, Handler, PageServer
from support.paths import PAGES

Trick = Callable[[BaseHTTPRequestHandler, Answer], None]

# In the page and in its worker: pauses that nobody needs to sit through, and word of rejections
# that nobody handles.
HURRY = """
const wait = globalThis.setTimeout;
const clock = performance.now.bind(performance);
globalThis.setTimeout = (job, ms = 0) =>
  wait(job, ms >= 20000 ? ms / PATIENCE : ms >= 1000 ? ms / 100 : ms);
performance.now = () => PATIENCE * clock();
addEventListener("unhandledrejection", ({ reason }) => fetch(`/rejected?${reason}`));
"""
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>Faults</title>
<script src="/hurry.js"></script>
<script type="module" src="/rt/onnxpress.js"></script>
<onnx-demo src="/tiny/manifest.json"><p class="onnx-poster">The poster</p></onnx-demo>
</html>"""


class Gate:
    """Where a trick stops in the middle of a body until the test lets it go on."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def wait(self) -> None:
        assert self.reached.wait(30), "nobody asked for the file"


class FaultHandler(Handler):
    site: "FaultServer"
    # Tests look into the cache as soon as a demo is done; what loads fast is stored after that.
    disable_nagle_algorithm = False

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.site.ranges += "Range" in self.headers
        tricks = self.site.tricks.get(path)
        if not tricks:
            return super().do_GET()
        self.site.requests[path] = self.site.requests.get(path, 0) + 1
        try:
            return tricks.pop(0)(self, self.site.answer(path))
        except (BrokenPipeError, ConnectionResetError):  # the browser has had enough
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class FaultServer(PageServer):
    """`tricks`: path -> what happens instead of an answer, used up in order; `ranges` counts the
    requests for a part of a file."""

    handler = FaultHandler

    def __init__(self) -> None:
        super().__init__({**PUBLISHED, "/pages/": PAGES, "/demo.html": PAGE.encode(),
                          "/rejected": b""})
        self.tricks: dict[str, list[Trick]] = {}
        self.gates: list[Gate] = []

    def reset(self, pack: dict[str, bytes], patience: int = 1, lack: str = "") -> None:
        """A sound pack under /tiny/. `patience`: how many times faster 20 seconds and more pass;
        `lack`: what the browser cannot do, as a script for the page and for its worker."""
        self.release()
        worker = b'import "/hurry.js";\n' + PUBLISHED["/rt/worker.js"]
        self.files |= {"/rt/worker.js": worker,
                       "/hurry.js": (HURRY.replace("PATIENCE", str(patience)) + lack).encode()}
        self.publish("/tiny/", pack)
        self.headers = {}
        for record in (self.faults, self.requests, self.tricks):
            record.clear()
        self.ranges = 0

    def publish(self, folder: str, pack: dict[str, bytes]) -> None:
        """Replaces what is in `folder`."""
        self.files = {k: v for k, v in self.files.items() if not k.startswith(folder)}
        self.files |= {folder + name: content for name, content in pack.items()}

    def gate(self) -> Gate:
        self.gates.append(Gate())
        return self.gates[-1]

    def release(self) -> None:
        while self.gates:
            self.gates.pop().open.set()

    def weights(self) -> dict[str, int]:
        """How often each shard was asked for."""
        return {path.rpartition("/")[2]: count for path, count in sorted(self.requests.items())
                if "/weights-" in path}


def send(to: BaseHTTPRequestHandler, answer: Answer, length: int | None = None,
         **headers: str) -> None:
    """Status and headers; `length` as the host believes it, -1 for no word of it."""
    status, kind, body = answer
    to.send_response(status)
    sizes = {} if length == -1 else {"Content-Length": str(len(body) if length is None else length)}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    for name, value in {"Content-Type": kind, "Cache-Control": "no-store", **sizes, **more,
                        **to.site.headers}.items():
        to.send_header(name, value)
    to.end_headers()


def drop(share: float) -> Trick:
    """The connection breaks after that share of the body."""
    def trick(to: Any, answer: Answer) -> None:
        send(to, answer)
        to.wfile.write(answer[2][: int(share * len(answer[2]))])
        to.close_connection = True
    return trick


def refuse(to: Any, answer: Answer) -> None:
    """The connection closes without an answer."""
    to.close_connection = True


def hold(gate: Gate, share: float) -> Trick:
    """The body stops after that share until the gate opens."""
    def trick(to: Any, answer: Answer) -> None:
        send(to, answer)
        cut = int(share * len(answer[2]))
        to.wfile.write(answer[2][:cut])
        to.wfile.flush()
        gate.reached.set()
        gate.open.wait()
        to.wfile.write(answer[2][cut:])
    return trick


def hang(gate: Gate) -> Trick:
    """Not even a status comes."""
    def trick(to: Any, answer: Answer) -> None:
        gate.reached.set()
        gate.open.wait()
        to.close_connection = True
    return trick


def turned(change: Callable[[bytes], bytes], status: int = 200, kind: str | None = None) -> Trick:
    """A whole answer with another body, status or type."""
    def trick(to: Any, answer: Answer) -> None:
        body = change(answer[2])
        send(to, (status, kind or answer[1], body))
        to.wfile.write(body)
    return trick


def html(status: int = 200) -> Trick:
    page = b"<!DOCTYPE html><title>Not here</title><p>" + 500 * b"-"
    return turned(lambda _: page, status, "text/html")


def gzipped(length: str) -> Trick:
    """Content-Encoding: gzip with a Content-Length that is "right", "wrong" (the length of the
    unpacked content; the connection stays open) or "absent"."""
    def trick(to: Any, answer: Answer) -> None:
        body = gzip.compress(answer[2], 9)
        believed = {"right": len(body), "wrong": len(body) + len(answer[2]), "absent": -1}[length]
        send(to, answer, believed, Content_Encoding="gzip")
        to.wfile.write(body)
        to.close_connection = length == "absent"
    return trick


def chunked(size: int) -> Trick:
    def trick(to: Any, answer: Answer) -> None:
        send(to, answer, -1, Transfer_Encoding="chunked")
        body = answer[2]
        for at in range(0, len(body), size):
            piece = body[at : at + size]
            to.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            to.wfile.flush()
        to.wfile.write(b"0\r\n\r\n")
    return trick


def without_length(to: Any, answer: Answer) -> None:
    """The end of the connection is the end of the file."""
    send(to, answer, -1, Connection="close")
    to.wfile.write(answer[2])
    to.close_connection = True
