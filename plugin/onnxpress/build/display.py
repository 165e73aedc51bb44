"""Progress while demos compile: live bars on a terminal, plain log lines elsewhere."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ..errors import plain

# The done part of a demo (0 to 1) when a stage begins; the stage's own part leads to the next one.
STAGES = {"queued": 0.0, "downloading": 0.0, "loading": 0.2, "reading": 0.25, "compiling": 0.35,
          "running": 0.45, "proving": 0.6, "drawing": 0.9}
ENDS = (*sorted(set(STAGES.values())), 1.0)


class Display(Protocol):
    """Shows the stage of each demo. `part`: how much of the stage is done, 0 to 1."""

    def stage(self, name: str, stage: str, part: float | None = None, detail: str = "") -> None: ...
    def done(self, name: str, how: str, seconds: float) -> None: ...
    def note(self, text: str) -> None: ...
    def close(self) -> None: ...


class LogDisplay:
    """One line per stage, through `say`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self._at: dict[str, str] = {}

    def stage(self, name: str, stage: str, part: float | None = None, detail: str = "") -> None:
        if self._at.get(name) != stage:
            self._at[name] = stage
            self.say(plain(f"{name}: {stage}"))

    def done(self, name: str, how: str, seconds: float) -> None:
        self.say(f"{name}: {how} in {seconds:.1f} s")

    def note(self, text: str) -> None:
        self.say(plain(text))

    def close(self) -> None:
        self._at.clear()


class LiveDisplay:
    """A bar for each demo and one for all of them.

    Bars appear with the first stage and are removed by `close`. In between, the handlers of `log`
    write above them.
    """

    def __init__(self, log: logging.Logger) -> None:
        self.log = log
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._moved: list[logging.StreamHandler] = []

    def stage(self, name: str, stage: str, part: float | None = None, detail: str = "") -> None:
        progress = self._open()
        if name not in self._tasks:
            self._tasks[name] = progress.add_task("", total=1.0, name=name)
        progress.update(self._tasks[name], description=f"{stage} {detail}".strip(),
                        completed=position(stage, part))
        self._count(progress)

    def done(self, name: str, how: str, seconds: float) -> None:
        self.stage(name, how)
        progress = self._open()
        progress.update(self._tasks[name], completed=1.0)
        self._count(progress)

    def note(self, text: str) -> None:
        self._open().console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        if self._progress:
            for handler in self._moved:
                handler.setStream(self._stderr)
            self._progress.stop()
        self._progress, self._tasks, self._moved = None, {}, []

    def _open(self) -> Progress:
        if self._progress is None:
            self._stderr = sys.stderr
            self._progress = Progress(
                TextColumn("[bold]{task.fields[name]}"), BarColumn(24),
                TextColumn("{task.description}"), TimeElapsedColumn(),
                console=Console(stderr=True), transient=True)
            self._all = self._progress.add_task("", total=1.0, name="all demos")
            self._progress.start()  # from here on sys.stderr prints above the bars
            self._moved = [h for h in _handlers(self.log) if h.stream is self._stderr]
            for handler in self._moved:
                handler.setStream(sys.stderr)
        return self._progress

    def _count(self, progress: Progress) -> None:
        """Brings the bar of all demos up to date."""
        tasks = [task for task in progress.tasks if task.id != self._all]
        done = sum(task.finished for task in tasks)
        progress.update(self._all, description=f"{done} of {len(tasks)}",
                        completed=sum(task.completed for task in tasks) / len(tasks))


def position(stage: str, part: float | None) -> float | None:
    """The done part of a demo, 0 to 1; None for an unknown stage."""
    begin = STAGES.get(stage.partition(" ")[0])
    if begin is None:
        return None
    end = next(end for end in ENDS if end > begin)
    return begin + (part or 0.0) * (end - begin)


def _handlers(log: logging.Logger | None) -> Iterator[logging.StreamHandler]:
    """The handlers that write the records of `log` to a stream."""
    while log:
        yield from (h for h in log.handlers if isinstance(h, logging.StreamHandler))
        log = log.parent if log.propagate else None


def choose_display(log: logging.Logger | logging.LoggerAdapter) -> LogDisplay | LiveDisplay:
    """Bars on a terminal, unless `log` is quiet; else lines."""
    live = sys.stderr.isatty() and log.isEnabledFor(logging.INFO)
    logger = log.logger if isinstance(log, logging.LoggerAdapter) else log
    return LiveDisplay(logger) if live else LogDisplay(log.info)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text; all but the first are flush right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width
                                              in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in (head, *rows))
