"""One tab of a headless Firefox, with the part of Tab's methods that do not need Chromium.

    with Firefox() as tab:
        tab.open(url)
        tab.wait("document.querySelector('onnx-demo').state == 'done'")

It speaks WebDriver BiDi (w3.org/TR/webdriver-bidi), which Firefox serves itself.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from support.tab import TabError, wait_for
from websockets.sync.client import connect

Pref = bool | int | str


@cache
def find_firefox() -> str | None:
    """The path of a Firefox that starts: $FIREFOX, or one on PATH; None if there is none."""
    found = (os.environ.get("FIREFOX"), *map(shutil.which, ("firefox-esr", "firefox")))
    return next((path for path in filter(None, found) if _starts(path)), None)


def _starts(path: str) -> bool:
    """Ubuntu's /usr/bin/firefox may be a word on where to get one."""
    return subprocess.run([path, "--version"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


class Firefox:
    """`downloads`: the folder for what pages save."""

    def __init__(self, prefs: Mapping[str, Pref] = {}, downloads: Path | None = None) -> None:
        self.prefs, self.downloads = dict(prefs), downloads
        if downloads:
            self.prefs |= {"browser.download.folderList": 2, "browser.download.dir": str(downloads)}
        self.count = 0
        self.logs: list[str] = []

    def __enter__(self) -> "Firefox":
        with ExitStack() as stack:
            self.profile = Path(stack.enter_context(
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            self._start(stack)
            self.stack = stack.pop_all()
        return self

    def _start(self, stack: ExitStack) -> None:
        (self.profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in self.prefs.items()))
        self.process = subprocess.Popen(
            [find_firefox(), "--headless", "--no-remote", "--remote-debugging-port=0",
             "--profile", self.profile], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(self.process.wait, 20)
        stack.callback(self.process.terminate)
        url = f"ws://127.0.0.1:{self._port()}/session"
        self.socket = stack.enter_context(
            connect(url, max_size=None, compression=None, proxy=None))
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        self.context = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def _port(self) -> int:
        """Where it listens, which it writes into its profile."""
        file = self.profile / "WebDriverBiDiServer.json"
        end = time.monotonic() + 60
        while not (file.is_file() and (text := file.read_text())):
            if self.process.poll() is not None or time.monotonic() > end:
                raise TabError(f"{self.process.args[0]} does not listen; its status is "
                               f"{self.process.returncode}")
            time.sleep(0.02)
        return json.loads(text)["ws_port"]

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": params}))
        while True:
            reply = json.loads(self.socket.recv())
            if reply.get("id") == self.count:
                if reply["type"] == "error":
                    raise TabError(f"{method}: {reply['message']}")
                return reply["result"]
            if reply.get("method") == "log.entryAdded" and reply["params"]["level"] == "error":
                self.logs.append(reply["params"]["text"])

    def open(self, url: str) -> None:
        self.logs.clear()
        self.call("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def js(self, expression: str) -> Any:
        """The JSON value of an expression; promises are awaited.

        Raises:
            TabError: it threw.
        """
        code = f"(async () => JSON.stringify(await ({expression})))()"
        reply = self.call("script.evaluate", expression=code, awaitPromise=True,
                          target={"context": self.context}, userActivation=True)
        if reply["type"] == "exception":
            raise TabError(reply["exceptionDetails"]["text"])
        return json.loads(reply["result"].get("value", "null"))

    def wait(self, condition: str, seconds: float = 30) -> Any:
        """The first truthy value of `condition`."""
        return wait_for(self, condition, seconds)
