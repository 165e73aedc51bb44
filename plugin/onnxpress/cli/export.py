"""`onnxpress export`: a demo as one HTML file, to be opened from a disk or sent by mail."""

import argparse

from ..export import export
from ..files import write_atomically
from .build import build_demos
from .output import say


def run(options: argparse.Namespace) -> None:
    [built] = build_demos([options.spec], options)
    html, sizes = export(built)
    say(f"{options.html}: {sizes}")
    write_atomically(options.html, html.encode())
