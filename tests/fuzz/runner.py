"""Runs cases in forked children, several at a time, and judges how each one ended.

The parent is a process of its own: where it had run V8, onnxruntime or other engines with threads,
its children would wait for threads that they lack.
"""

import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxpress.errors import COMMANDS, LONGEST, OnnxPressError, sentence

from .mutator import SHARED, Case, Ending, Mutator
from .watch import CANARY, Watch, leaks

SECONDS = 20  # of the processor
WALL = 90  # seconds by the clock, for a case that waits; a busy machine takes its time
GIGABYTES = 2
BRAKE = 3 << 30  # bytes of data that a child may ask for at all
KIB = 1024 / 1e9  # gigabytes; the unit of ru_maxrss
LACKING = "this takes more memory than there is"


@dataclass
class _Child:
    case: Case
    folder: Path
    process: int
    pipe: int
    end: float  # time.monotonic()
    reply: bytes = b""


def run(cases: Iterable[Case], folder: Path, jobs: int = 1) -> Iterator[Ending]:
    """The endings of the cases, as they end. At most `jobs` run at a time. The files of a case lie
    in a folder of its own below `folder`, where the files of a fault stay."""
    waiting, under_way, prepared = iter(cases), {}, set()
    while True:
        while len(under_way) < jobs and (case := next(waiting, None)):
            if case.mutator.name not in prepared:
                _prepare(case.mutator, folder / SHARED)
                prepared.add(case.mutator.name)
            child = _start(case, folder / case.name)
            under_way[child.pipe] = child
        if not under_way:
            return
        for pipe in select.select([*under_way], [], [], 0.5)[0]:
            child = under_way[pipe]
            content = os.read(pipe, 1 << 16)
            child.reply += content
            if not content:
                del under_way[pipe]
                yield _ended(child)
        for child in under_way.values():
            if time.monotonic() > child.end:
                _kill(child)


def _prepare(mutator: Mutator, folder: Path) -> None:
    """Fills the folder in a child too: a process that has started threads cannot be forked."""
    mutator.warm()
    if not mutator.prepare:
        return
    process = os.fork()
    if not process:
        try:
            mutator.prepare(folder)
            os._exit(0)
        finally:
            os._exit(1)
    if os.waitpid(process, 0)[1]:
        raise RuntimeError(f"{mutator.name}: the files that its cases share could not be made")


def _kill(child: _Child) -> None:
    try:
        os.killpg(child.process, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _start(case: Case, folder: Path) -> _Child:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tmp").mkdir(parents=True)
    sys.stdout.flush()
    pipe, there = os.pipe()
    process = os.fork()
    if not process:
        try:
            os.close(pipe)
            _serve(case, folder, there)
            os._exit(0)
        except BaseException:  # of the mutator itself; the log has it
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(there)
    return _Child(case, folder, process, pipe, time.monotonic() + WALL)


def _serve(case: Case, folder: Path, pipe: int) -> None:
    """Runs a case in this child process."""
    os.setsid()
    os.chdir(folder)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(log, stream)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.update(HOME=str(folder), TMPDIR=str(folder / "tmp"), ONNXPRESS_OFFLINE="1")
    tempfile.tempdir = str(folder / "tmp")
    sys.dont_write_bytecode = True
    what = case.mutator.spoil(case.draw(), folder)
    os.write(pipe, json.dumps(what).encode() + b"\n")
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (spent, spent + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (BRAKE, BRAKE))
    watch = Watch(folder)
    said, fault = "", ""
    try:
        case.mutator.run(folder)
    except Exception as error:
        said = sentence(error)
        fault = "" if isinstance(error, (OnnxPressError, OSError)) else "a traceback"
    reply = {"said": said, "fault": fault, "touched": watch.faults[:3]}
    os.write(pipe, json.dumps(reply).encode())


def _ended(child: _Child) -> Ending:
    os.close(child.pipe)
    _kill(child)  # whatever the child has started
    _, status, used = os.wait4(child.process, 0)
    what, _, rest = child.reply.partition(b"\n")
    reply = json.loads(rest) if rest else None
    seconds, gigabytes = used.ru_utime + used.ru_stime, used.ru_maxrss * KIB
    fault = _fault(child, status, reply, gigabytes)
    ending = Ending(child.case, json.loads(what or '"its files could not be made"'),
                    reply["said"] if reply else "", fault, seconds, gigabytes)
    if not fault:
        shutil.rmtree(child.folder, ignore_errors=True)
    return ending


def _fault(child: _Child, status: int, reply: dict[str, Any] | None, gigabytes: float) -> str:
    """Which promise the case has broken, or ""."""
    code = os.waitstatus_to_exitcode(status)
    if reply is None:
        if code == -signal.SIGXCPU:
            return f"a hang: over {SECONDS} s of the processor"
        return (f"a hang: over {WALL} s" if time.monotonic() > child.end
                else f"a crash: the process ended with {code}")
    if reply["fault"]:
        return f"{reply['fault']}: {reply['said']}"
    if reply["touched"]:
        return f"touched: {'; '.join(reply['touched'])}"
    if gigabytes > GIGABYTES or LACKING in reply["said"]:
        return f"{gigabytes:.1f} GB of memory: {reply['said']}"
    if reply["said"] and (fault := unlike_a_sentence(reply["said"])):
        return fault
    if CANARY in reply["said"] or (found := leaks(child.folder / "project/out")):
        return f"text from outside the project: {reply['said'] or found}"
    return child.case.mutator.agree(child.folder)


def unlike_a_sentence(said: str) -> str:
    """What is wrong with the text of a refusal, or ""."""
    if "please report it" in said:
        return f"an exception that nobody expected: {said}"
    if len(said) > LONGEST:
        return f"{len(said)} characters: {said}"
    if not said.isprintable() or COMMANDS.search(said):
        return f"characters that a terminal or a CI obeys: {said!r}"
    return ""
