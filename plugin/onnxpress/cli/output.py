"""The command's output: results on standard output, all other text on standard error."""

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from ..build import display


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns of text; all but the first are flush right."""
    say(display.table(head, rows))


def say_json(value: Any) -> None:
    """The only standard output with --json."""
    say(json.dumps(value, indent=1, ensure_ascii=False))


def open_display() -> display.Display:
    """Shows progress on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return display.choose_display(logging.getLogger("onnxpress"))
