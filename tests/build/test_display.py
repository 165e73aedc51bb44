"""What a person sees of a build: bars on a terminal that leave no trace, lines elsewhere."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from onnxpress.build.display import LogDisplay, choose_display, position
from support.site_folder import copy_site

LIVE = """
import logging, sys, time
from onnxpress.build.display import choose_display
handler = logging.StreamHandler()
log = logging.getLogger("test")
log.addHandler(handler)
log.setLevel(int(sys.argv[1]))
display = choose_display(log)
display.stage("one", "queued")
display.stage("one", "downloading", 0.5, "1 of 2 MB")
time.sleep(0.5)
log.info("a line of the host")
display.note("a note")
display.done("one", "compiled and proven", 1.5)
display.close()
assert handler.stream is sys.stderr
log.info("the end")
"""
ERASE = "\x1b[2K"  # ECMA-48, "Control Functions", 8.3.41: the whole line


def on_a_terminal(folder: Path, *command: str) -> str:
    """All that the command writes to the terminal it runs on."""
    pty = pytest.importorskip("pty", reason="terminals are tested where there is pty")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
                               env={**os.environ, "TERM": "xterm", "COLUMNS": "120",
                                    "NO_MKDOCS_2_WARNING": "1"})
    os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 1 << 16):
            said += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0, said.decode()
    return said.decode()


def test_bars_are_drawn_below_what_the_host_says_and_leave_no_trace(tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path, sys.executable, "-c", LIVE, str(logging.INFO))
    assert "downloading 1 of 2 MB" in said and "0 of 1" in said
    for line in ("a line of the host", "a note"):
        assert re.search(rf"{re.escape(ERASE)}(\x1b\[[\d;]*m)*{line}", said), "on a line of its own"
    assert said.rpartition(ERASE)[2].strip() == "the end"


def test_a_quiet_host_shows_nothing(tmp_path: Path) -> None:
    said = on_a_terminal(tmp_path, sys.executable, "-c", LIVE, str(logging.ERROR))
    assert not said
    site = copy_site(tmp_path)
    assert not on_a_terminal(site, sys.executable, "-m", "mkdocs", "build", "-q", "-f",
                             "mkdocs.yml")


def test_elsewhere_a_line_for_each_stage() -> None:
    lines: list[str] = []
    display = LogDisplay(lines.append)
    display.stage("one", "downloading", 0.1, "1 MB")
    display.stage("one", "downloading", 0.2, "2 MB")
    display.stage("two", "reading")
    display.done("one", "compiled and proven", 1.25)
    assert lines == ["one: downloading", "two: reading", "one: compiled and proven in 1.2 s"]


def test_a_log_file_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", open(os.devnull, "w"))  # noqa: PTH123
    assert isinstance(choose_display(logging.getLogger("test")), LogDisplay)


@pytest.mark.parametrize(("stage", "part", "wanted"), [
    ("queued", None, 0.0), ("downloading", 0.5, 0.1), ("downloading", 1.0, 0.2),
    ("proving int8", 0.5, 0.75), ("drawing results", None, 0.9), ("something new", 0.5, None)])
def test_a_bar_advances_with_the_stages(stage: str, part: float | None,
                                        wanted: float | None) -> None:
    assert position(stage, part) == (wanted and pytest.approx(wanted))
