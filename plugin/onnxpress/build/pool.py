"""The child processes of a site build.

They are spawned, so they copy no state of the parent. They import nothing from the working
directory, and they end when the parent ends, however it ends.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import Any

from .worker import listen

SAFE = {"PYTHONSAFEPATH": "1"}  # the environment of every process that is started here


class Pool:
    """`size` child processes, whose events `hear` gets on a thread of its own."""

    def __init__(self, size: int, hear: Callable[..., None]) -> None:
        context = multiprocessing.get_context("spawn")
        with _environment():
            self._queue = context.SimpleQueue()
        self._executor = ProcessPoolExecutor(size, mp_context=context, initializer=prepare,
                                             initargs=(self._queue,))
        self._reports = Thread(target=self._report, args=(hear,), daemon=True)
        self._reports.start()

    def submit(self, run: Callable[..., Any], *arguments: Any) -> Future:
        """run(*arguments) in a child process."""
        with _environment():
            return self._executor.submit(run, *arguments)

    def close(self) -> None:
        """Waits for the jobs under way and ends the processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._queue.put(None)
        # Seconds to show the last events, which a process that died may have cut off.
        self._reports.join(5)

    def _report(self, hear: Callable[..., None]) -> None:
        while (event := self._queue.get()) is not None:
            hear(*event)


@contextmanager
def _environment() -> Iterator[None]:
    """Starts processes with SAFE. multiprocessing takes no environment of their own."""
    before = {name: os.environ.get(name) for name in SAFE}
    os.environ.update(SAFE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def prepare(queue: Any) -> None:
    """Prepares this child process."""
    Thread(target=_end_with_parent, daemon=True).start()
    listen(queue)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
