"""One tab of a headless Chromium, driven by people's means: real keys, clicks, media settings.

    with Tab() as tab:
        tab.open(url)
        tab.wait("document.querySelector('onnx-demo').state == 'done'")
        tab.press("Tab")

It speaks the DevTools protocol over a pipe (chromedevtools.github.io/devtools-protocol).
"""

import base64
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onnxpress.run.browser import FLAGS, find_chromium
from support.chromium import SWIFTSHADER

KEYS = {"Tab": 9, "Enter": 13, " ": 32, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39}
TYPED = {"Enter": "\r", " ": " "}  # keys that also enter a character


class TabError(RuntimeError):
    """The page threw, or did not come to what was waited for."""


def wait_for(tab: Any, condition: str, seconds: float) -> Any:
    """The first truthy value of `condition` in the tab, of whichever browser."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if value := tab.js(condition):
                return value
        except TabError as error:
            if "context" not in str(error).lower():  # the page is changing
                raise
        time.sleep(0.02)
    raise TabError(f"not within {seconds} s: {condition}; the page said: {tab.logs}")


class Tab:
    """`downloads`: the folder for what pages save."""

    def __init__(self, width: int = 1280, height: int = 900, flags: Sequence[str] = (),
                 downloads: Path | None = None) -> None:
        self.size, self.flags, self.downloads = (width, height), flags, downloads
        self.count = 0
        self.logs: list[str] = []

    def __enter__(self) -> "Tab":
        ours, theirs = self._pipes()
        self.source, self.to = ours
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        # The protocol's pipe is descriptors 3 and 4 of the browser.
        self.process = subprocess.Popen(
            [find_chromium(), *FLAGS, *SWIFTSHADER, *self.flags, "--remote-debugging-pipe",
             "--hide-scrollbars", f"--user-data-dir={self.profile.name}", "about:blank"],
            preexec_fn=lambda: [os.dup2(fd, 3 + i) for i, fd in enumerate(theirs)],
            pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in theirs:
            os.close(fd)
        self.buffer, self.session = b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        if self.downloads:
            self.call("Browser.setDownloadBehavior", behavior="allow",
                      downloadPath=str(self.downloads))
        self.resize(*self.size)
        return self

    @staticmethod
    def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
        """((read, write) of this side, (read, write) of the browser's), none of them 3 or 4."""
        import fcntl  # Windows has none, and no such tabs

        def pipe() -> tuple[int, int]:
            low = os.pipe()
            high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in low]
            for fd in low:
                os.close(fd)
            return high[0], high[1]

        (their_read, our_write), (our_read, their_write) = pipe(), pipe()
        return (our_read, our_write), (their_read, their_write)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)
        os.close(self.to)
        os.close(self.source)
        self.profile.cleanup()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._read()
            if reply.get("id") == self.count:
                if "error" in reply:
                    raise TabError(f"{method}: {reply['error']['message']}")
                return reply["result"]
            self._note(reply)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            chunk = os.read(self.source, 1 << 20)
            if not chunk:
                raise TabError("the browser closed its pipe")
            self.buffer += chunk
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Log.entryAdded":
            self.logs.append(event["params"]["entry"]["text"])
        elif event.get("method") == "Runtime.exceptionThrown":
            details = event["params"]["exceptionDetails"]
            self.logs.append(details.get("exception", {}).get("description", details["text"]))

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=False)

    def media(self, **features: str) -> None:
        """For instance media(prefers_color_scheme="dark")."""
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def open(self, url: str) -> None:
        self.logs.clear()
        self.call("Page.navigate", url=url)
        self.wait("document.readyState == 'complete' && location.href != 'about:blank'")

    def js(self, expression: str) -> Any:
        """The JSON value of an expression; promises are awaited.

        Raises:
            TabError: it threw.
        """
        reply = self.call("Runtime.evaluate", expression=expression, awaitPromise=True,
                          returnByValue=True, userGesture=True)
        if "exceptionDetails" in reply:
            thrown = reply["exceptionDetails"]
            raise TabError(thrown.get("exception", {}).get("description", thrown["text"]))
        return reply["result"].get("value")

    def wait(self, condition: str, seconds: float = 30) -> Any:
        """The first truthy value of `condition`."""
        return wait_for(self, condition, seconds)

    def press(self, key: str) -> None:
        code: dict[str, Any] = {
            "key": key, "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": KEYS[key]}
        if key in TYPED:
            code["text"] = TYPED[key]
        self.call("Input.dispatchKeyEvent", type="keyDown", **code)
        self.call("Input.dispatchKeyEvent", type="keyUp", **code)

    def screenshot(self) -> bytes:
        """A PNG of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])
