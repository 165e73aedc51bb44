"""What a process touches: files read and written, programs started, names looked up.

Python's audit events tell of everything that Python code does. Libraries in C open files unseen, so
the folder beside the project also holds CANARY, which no output may repeat.
"""

import os
import site
import sys
from pathlib import Path
from typing import Any

from support.paths import ROOT

CANARY = "canary-4f1c"  # stands in files outside the project
EXECUTED = "executed"  # a file that Python code outside of models/ writes, if it is run

CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink",
           "os.truncate", "os.chmod", "os.chown"}
STARTS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn"}
CALLS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.connect",
         "socket.bind", "urllib.Request"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
SYSTEM = ("/proc", "/sys", "/dev")


class Watch:
    """Listens from now to the end of the process. `faults`: what was touched outside of `own`."""

    def __init__(self, own: Path) -> None:
        self._own = (_real(own),)
        python = (sys.prefix, sys.base_prefix, *site.getsitepackages())
        self._read = (*self._own, *map(_real, (*python, ROOT / "plugin", ROOT / "tests")), *SYSTEM)
        self._project = _real(own / "outside")
        self.faults: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & WRITING) if isinstance(flags, int) else mode not in ("r", "rb")
            self._touch(event, path, writes)
        elif event in CHANGES:
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                self._touch(event, path, True)
        elif event == "subprocess.Popen":
            command = [os.fsdecode(part) for part in arguments[1]]
            if command[:2] != [sys.executable, "-P"]:
                self.faults.append(f"started {command}")
        elif event in STARTS or event in CALLS:
            self.faults.append(f"{event} {arguments[1:]}")

    def _touch(self, event: str, path: Any, writes: bool) -> None:
        if isinstance(path, int) or path is None:
            return
        try:
            real = _real(path)
        except ValueError:  # a NUL, which the system refuses
            return
        allowed = self._own if writes else self._read
        if not _below(real, allowed) or _below(real, (self._project,)):
            self.faults.append(f"{event} {'wrote' if writes else 'read'} {real[-200:]}")


def _real(path: Any) -> str:
    return os.path.realpath(os.fsdecode(path))


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def leaks(folder: Path) -> list[str]:
    """Files below `folder` that repeat CANARY, or that stranger's code has written."""
    return [path.name for path in folder.rglob("*") if path.is_file() and (
        path.name == EXECUTED or CANARY.encode() in path.read_bytes())]
