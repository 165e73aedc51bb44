"""A headless Chromium that runs JavaScript modules and returns their results.

    with Browser({"/runtime/": RUNTIME}) as browser:
        code = "export const run = async (args, body) => ({ value: args.n + 1 })"
        assert browser.run(code, {"n": 1}).value == 2

One browser serves many runs. Its page polls a local server of this process for jobs.
"""

import json
import mimetypes
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..errors import BrowserError

# Chromium's sandbox does not start in containers or as root. The page and its modules are our own.
FLAGS = (
    "--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)

TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm",
         ".json": "application/json", ".html": "text/html; charset=utf-8"}

# The page fetches a job, imports it as a module, and posts its answer: the length of the JSON
# (u32), the JSON, then raw bytes.
PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
let errors = [];
const note = (text) => errors.push(String(text));
for (const level of ["error", "warn"]) {
  const say = console[level];
  console[level] = (...args) => { note(args.map((a) => a?.stack ?? a).join(" ")); say(...args); };
}
addEventListener("error", (e) => note(e.message));
addEventListener("unhandledrejection", (e) => note(e.reason?.stack ?? e.reason));
for (;;) {
  const job = await (await fetch("/@next")).json();
  if (!job) continue;
  let reply, parts = [];
  try {
    const { run } = await import(`/@code/${job.id}.js`);
    const body = await (await fetch(`/@body/${job.id}`)).arrayBuffer();
    const got = (await run(job.args, body)) ?? {};
    parts = [got.body ?? []].flat();
    reply = { value: got.value ?? null };
  } catch (e) {
    reply = { error: e?.stack ?? String(e), code: e?.code ?? null };
  }
  const head = new TextEncoder().encode(JSON.stringify({ ...reply, errors }));
  errors = [];
  await fetch(`/@done/${job.id}`,
    { method: "POST", body: new Blob([new Uint32Array([head.length]), head, ...parts]) });
}
</script>"""


@dataclass(frozen=True)
class Reply:
    """The result of a job. `errors`: the page's uncaught errors, and its messages to
    console.error and console.warn."""

    value: Any
    body: bytes
    errors: list[str]


@dataclass
class Script:
    """A module to run, its arguments, and the page's reply once `done` is set."""

    code: str
    args: Any
    body: bytes
    done: threading.Event = field(default_factory=threading.Event)
    reply: bytes = b""


NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")  # on PATH
# Where installers put Chrome and Edge: on macOS from the root, on Windows from %ProgramFiles%.
INSTALLED = {
    "darwin": ("Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
               "Applications/Chromium.app/Contents/MacOS/Chromium"),
    "win32": ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe"),
}
# Where Playwright keeps its browsers below a person's folder, and the programs there.
PLAYWRIGHT = {"darwin": "Library/Caches", "win32": "AppData/Local"}
DOWNLOADED = ("chrome-linux*/chrome", "chrome-win*/chrome.exe",
              "chrome-mac*/*.app/Contents/MacOS/*")


def find_chromium() -> str | None:
    """The path of a Chromium: $CHROMIUM, else one on PATH, else an installed one, else one of
    Playwright's, else None."""
    roots = [Path(os.environ[name]) for name in ("ProgramFiles", "ProgramFiles(x86)")
             if name in os.environ] or [Path("/")]
    installed = [root / place for place in INSTALLED.get(sys.platform, ()) for root in roots]
    kept = Path.home() / PLAYWRIGHT.get(sys.platform, ".cache") / "ms-playwright"
    kept = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", kept))
    downloaded = [path for place in DOWNLOADED for path in sorted(kept.glob(f"chromium-*/{place}"))]
    found = (os.environ.get("CHROMIUM"), *map(shutil.which, NAMES),
             *(str(path) for path in (*installed, *downloaded) if path.is_file()))
    return next(filter(None, found), None)


class Browser:
    """`folders`: URL prefix -> folder or file to serve. `headers`: HTTP headers of every response.
    `flags`: more command-line flags for Chromium.

    Raises:
        BrowserError: on entry, if no Chromium starts.
    """

    def __init__(self, folders: Mapping[str, Path], headers: Mapping[str, str] = {},
                 flags: Sequence[str] = ()) -> None:
        self.folders, self.headers, self.flags = dict(folders), dict(headers), flags
        self.jobs: dict[str, Script] = {}
        self.waiting: queue.Queue[dict[str, Any]] = queue.Queue()

    def __enter__(self) -> "Browser":
        self.command = command = find_chromium()
        if not command:
            raise BrowserError("no Chromium is on this machine")
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        handler = type("BoundHandler", (Handler,), {"browser": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        try:
            self.process = subprocess.Popen(
                [command, *FLAGS, *self.flags, f"--user-data-dir={self.profile.name}",
                 f"{self.url}/@page"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError as error:
            self._close()
            raise BrowserError(f"{command}: cannot be started: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._close()

    def _close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.profile.cleanup()

    def run(self, code: str, args: Any = None, body: bytes = b"", timeout: float = 120) -> Reply:
        """Imports `code`, the text of a module, in the page and calls its `run(args, body)`, where
        `body` is an ArrayBuffer. `run` resolves to `{value, body}`, both optional: JSON, and a
        buffer or an array of buffers.

        Raises:
            BrowserError: `run` threw, the browser ended, or `timeout` seconds passed.
        """
        name, job = str(len(self.jobs)), Script(code, args, body)
        self.jobs[name] = job
        self.waiting.put({"id": name, "args": args})
        end = time.monotonic() + timeout
        while not job.done.wait(1):
            if self.process.poll() is not None:
                raise BrowserError(f"{self.command} ended with status "
                                   f"{self.process.returncode}; it should be a Chromium")
            if time.monotonic() > end:
                raise BrowserError(f"the browser gave no answer within {timeout} s")
        size = int.from_bytes(job.reply[:4], "little")
        reply = json.loads(job.reply[4 : 4 + size])
        if "error" in reply:
            raise BrowserError("\n".join([reply["error"], *reply["errors"]]), reply["code"])
        return Reply(reply["value"], job.reply[4 + size :], reply["errors"])


class Handler(BaseHTTPRequestHandler):
    """Serves the page, its jobs and the browser's folders."""

    browser: Browser
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a body would wait for the headers' delayed acknowledgement

    def handle(self) -> None:
        with suppress(ConnectionError):  # the browser is closed while it waits for work
            super().handle()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        kind, _, name = path[2:].partition("/") if path.startswith("/@") else ("", "", "")
        if kind == "page":
            self.send(PAGE.encode(), ".html")
        elif kind == "next":
            try:
                job = self.browser.waiting.get(timeout=10)
            except queue.Empty:
                job = None
            self.send(json.dumps(job).encode(), ".json")
        elif kind == "code":
            self.send(self.browser.jobs[name.removesuffix(".js")].code.encode(), ".js")
        elif kind == "body":
            self.send(self.browser.jobs[name].body)
        else:
            self.send_path(path)

    def do_POST(self) -> None:
        job = self.browser.jobs[self.path.rpartition("/")[2]]
        job.reply = self.rfile.read(int(self.headers["Content-Length"]))
        self.send(b"")
        job.done.set()

    def send_path(self, path: str) -> None:
        for prefix, folder in self.browser.folders.items():
            file = folder / path.removeprefix(prefix) if path != prefix else folder
            file = file / "index.html" if file.is_dir() else file
            if path.startswith(prefix) and file.is_file():
                return self.send(file.read_bytes(), file.suffix)
        self.send_error(404)

    def send(self, body: bytes, suffix: str = "") -> None:
        kind = TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
        self.send_response(200)
        for key, value in {"Content-Type": kind, "Content-Length": str(len(body)),
                           "Cache-Control": "no-store", **self.browser.headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""
