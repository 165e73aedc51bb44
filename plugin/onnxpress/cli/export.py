"""`onnxpress export`: a demo as one HTML file, to open from a disk or to send by mail."""

import argparse

from ..files import write_chunks
from ..site.export import export
from .build import build_demos, demo_json
from .output import say, say_json


def run(options: argparse.Namespace) -> None:
    [built] = build_demos([options.spec], options)
    page = export(built)
    if not options.json:
        say(f"{options.html}: {page}")
    write_chunks(options.html, page.chunks())
    if options.json:
        say_json({**demo_json(built), "html": str(options.html), "bytes": page.total,
                  "parts": dict(page.sizes)})
