"""What a person sees while demos compile: live lines on a terminal, plain log lines elsewhere."""

import logging
import sys
from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class LogDisplay:
    """A line per stage, through `say`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def stage(self, name: str, stage: str) -> None:
        self.say(f"{name}: {stage}")

    def done(self, name: str, seconds: float) -> None:
        self.say(f"{name}: compiled and proven in {seconds:.1f} s")

    def close(self) -> None:
        pass


class LiveDisplay:
    """A spinner per demo; nothing is drawn before the first stage."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[str, int] = {}

    def stage(self, name: str, stage: str) -> None:
        if self._progress is None:
            self._progress = Progress(
                SpinnerColumn(finished_text="✓"), TextColumn("[bold]{task.fields[name]}"),
                TextColumn("{task.description}"), TimeElapsedColumn(),
                console=Console(stderr=True))
            self._progress.start()
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(stage, total=1, name=name)
        self._progress.update(self._tasks[name], description=stage)

    def done(self, name: str, seconds: float) -> None:
        self.stage(name, "compiled and proven")
        self._progress.update(self._tasks[name], completed=1)

    def close(self) -> None:
        if self._progress:
            self._progress.stop()
        self._progress, self._tasks = None, {}


def choose_display(log: logging.Logger) -> LogDisplay | LiveDisplay:
    return LiveDisplay() if sys.stderr.isatty() else LogDisplay(log.info)
