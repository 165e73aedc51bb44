"""`onnxpress serve`: a folder as it is, or the site of mkdocs.yml."""

import argparse
import importlib.util
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..errors import PackError
from .output import say

HOSTS = ("mkdocs", "properdocs")


class Handler(SimpleHTTPRequestHandler):
    """Sends the types that browsers insist on, whatever the system's table says, and forbids
    caching."""

    disable_nagle_algorithm = True  # else a body waits for the headers' delayed acknowledgement
    extensions_map = {  # noqa: RUF012  (the base class has a plain dict)
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm",
        ".json": "application/json", ".webp": "image/webp",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *_: object) -> None:
        """Writes nothing."""


def run(options: argparse.Namespace) -> int:
    if options.folder is None:
        return _serve_site(options.port)
    if not options.folder.is_dir():
        raise PackError(f"{options.folder}: there is no such folder")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", options.port),
                                     partial(Handler, directory=str(options.folder)))
    except OSError as error:
        raise PackError(f"port {options.port} cannot be used ({error.strerror}); "
                        "choose another with --port") from None
    say(f"http://127.0.0.1:{server.server_port}/ serves {options.folder}; stop with Ctrl-C")
    sys.stdout.flush()
    server.serve_forever()
    return 0


def _serve_site(port: int) -> int:
    if not Path("mkdocs.yml").is_file():
        raise PackError("there is no mkdocs.yml here; name a folder to serve: onnxpress serve DIR")
    host = next((h for h in HOSTS if importlib.util.find_spec(h)), None)
    if host is None:
        raise PackError("neither mkdocs nor properdocs is installed")
    command = [sys.executable, "-P", "-m", host, "serve", "--dev-addr", f"127.0.0.1:{port}"]
    return subprocess.run(command, check=False).returncode
