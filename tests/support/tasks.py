"""Options of tasks, as a spec would give them."""

from typing import Any

from onnxpress.kinds.base import Fields
from onnxpress.tasks import TASKS
from onnxpress.tasks.base import Answer


def options_of(task: str, **values: Any) -> Any:
    """The options of `task`: its own defaults, but for `values`."""
    return TASKS[task].read(Fields(values, str))


def answer_of(task: str, shown: int = 0, **values: Any) -> Answer:
    return Answer(TASKS[task], shown, options_of(task, **values))
