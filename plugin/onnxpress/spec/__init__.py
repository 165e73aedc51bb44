"""YAML text -> frozen Demo and Card; `parse` is the way in, `values` what comes out."""

from .parse import NAME, load_card, load_demo, parse_demo
from .values import (
    TASKS,
    Card,
    Control,
    Demo,
    Output,
    Preprocessing,
    Sample,
    Source,
)

__all__ = [
    "NAME", "TASKS", "Card", "Control", "Demo", "Output", "Preprocessing",
    "Sample", "Source", "load_card", "load_demo", "parse_demo",
]
