"""What the command writes: results to standard output, all else to standard error."""

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from ..build import display


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns of text; all but the first are set flush right."""
    say(display.table(head, rows))


def say_json(value: Any) -> None:
    """With --json, all that standard output gets."""
    say(json.dumps(value, indent=1, ensure_ascii=False))


def open_display() -> display.Display:
    """Shows on standard error what a build is at."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return display.choose_display(logging.getLogger("onnxpress"))
