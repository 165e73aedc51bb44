"""Peak memory of a command and all its children, from Linux's /proc."""

import os
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
EVERY = 0.02  # seconds between two looks


def peak_memory(command: Sequence[str], folder: Path) -> tuple[int, int]:
    """(exit status, largest sum of resident bytes of all its processes at one moment) of
    `command` in `folder`. Pages that processes share count once for each."""
    process, peak = subprocess.Popen(command, cwd=folder), 0
    while process.poll() is None:
        peak = max(peak, sum(map(_resident, _tree(process.pid))))
        time.sleep(EVERY)
    return process.returncode, peak


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended meanwhile
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def _resident(process: int) -> int:
    with suppress(OSError):
        pages = int((PROC / str(process) / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")
    return 0
