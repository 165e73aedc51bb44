"""YAML text -> frozen Demo and Card; `parse` is the way in, `values` what comes out."""

from .files import Rules
from .parse import NAME, is_demo, load_card, load_demo, parse_demo
from .values import (
    Card,
    Control,
    Demo,
    Sample,
    Source,
)

__all__ = [
    "NAME", "Card", "Control", "Demo", "Rules", "Sample", "Source", "is_demo", "load_card",
    "load_demo", "parse_demo",
]
