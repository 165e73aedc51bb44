"""The child processes of a build.

They are spawned, so they copy no state of the parent. They import nothing from the working
directory, and they end when the parent ends, however it ends. A job that takes too much memory or
time ends with its process; the other jobs go on.
"""

import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from threading import Lock, Thread
from typing import Any

import psutil

from ..errors import FaultError, UnsupportedError, sentence
from ..limits import Limits

SAFE = {"PYTHONSAFEPATH": "1"}  # the environment of every process that is started here
_starting = Lock()  # the environment is one for all threads
PERIOD = 0.25  # seconds between two looks at a process's memory
GIGABYTE = 1e9

Tell = Callable[..., None]  # (kind, *facts) of an event


class Pool:
    """At most `size` child processes at a time. `hear` gets the events of all of them, one after
    the other."""

    def __init__(self, size: int, hear: Tell, limits: Limits) -> None:
        self._tell = hear
        self._telling = Lock()
        self._limits = limits
        self._threads = ThreadPoolExecutor(size)  # one thread waits for one process
        self._idle: list[_Child] = []

    def submit(self, run: Callable[..., Any], *arguments: Any) -> Future:
        """run(tell, *arguments) in a child process; tell(kind, *facts) reaches `hear`. The future
        raises what `run` raises.

        It also raises:
            UnsupportedError: the job took more memory or time than it may.
            FaultError: the process ended without a message.
        """
        return self._threads.submit(self._run, run, arguments)

    def close(self) -> None:
        """Waits for the jobs under way and ends the processes."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for child in self._idle:
            child.end()
        self._idle.clear()

    def _run(self, run: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        try:
            child = self._idle.pop()
        except IndexError:  # asking first would race with other threads
            child = _Child()
        try:
            value = child.run(run, arguments, self._hear, self._limits)
        except _JobError as error:
            self._idle.append(child)
            raise error.args[0] from None
        except BaseException:
            child.end()
            raise
        self._idle.append(child)
        return value

    def _hear(self, kind: str, *facts: Any) -> None:
        with self._telling:
            self._tell(kind, *facts)


class _JobError(Exception):
    """A job raised this; its process is sound."""


class _Child:
    """A process that runs one job after another."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there,), daemon=True)
        with _environment():
            self._process.start()
        there.close()

    def run(self, run: Callable[..., Any], arguments: tuple[Any, ...], hear: Tell,
            limits: Limits) -> Any:
        try:
            self._pipe.send((run, arguments))
            return self._wait(hear, limits)
        except (EOFError, ConnectionError):
            raise FaultError("the compiling process ended without a message; "
                             "it may have run out of memory") from None

    def _wait(self, hear: Tell, limits: Limits) -> Any:
        end, look = math.inf, time.monotonic()
        while True:
            kind, *facts = self._pipe.recv() if self._pipe.poll(PERIOD) else ("nothing",)
            if kind == "result":
                return facts[0]
            if kind == "error":
                raise _JobError(facts[0])
            now = time.monotonic()
            if kind == "begun":
                end = now + 60 * limits.minutes
            elif kind != "nothing":
                hear(kind, *facts)
            if now > end:
                raise UnsupportedError(f"this takes too long to compile: {limits.told('minutes')}")
            if now >= look:
                look = now + PERIOD
                if (used := self._memory()) > GIGABYTE * limits.gigabytes:
                    raise UnsupportedError(f"this takes {used / GIGABYTE:.1f} GB of memory to "
                                           f"compile: {limits.told('gigabytes')}")

    def _memory(self) -> int:
        """The bytes of memory that the process and its children hold."""
        used = 0
        try:
            process = psutil.Process(self._process.pid)
            for one in (process, *process.children(recursive=True)):
                used += one.memory_info().rss
        except psutil.Error:
            pass  # it has just ended, which the pipe will tell
        return used

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


@contextmanager
def _environment() -> Iterator[None]:
    """Starts processes with SAFE. multiprocessing takes no environment of their own."""
    with _starting:
        before = {name: os.environ.get(name) for name in SAFE}
        os.environ.update(SAFE)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _serve(pipe: Connection) -> None:
    """Runs jobs in this child process."""
    Thread(target=_end_with_parent, daemon=True).start()

    def tell(kind: str, *facts: Any) -> None:
        pipe.send((kind, *facts))

    while True:
        run, arguments = pipe.recv()
        pipe.send(("begun",))
        try:
            reply = ("result", run(tell, *arguments))
        except Exception as error:
            reply = ("error", error)
        try:
            pipe.send(reply)
        except Exception as error:  # what cannot be sent is told in words
            pipe.send(("error", FaultError(sentence(error))))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
