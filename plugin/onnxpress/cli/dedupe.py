"""`onnxpress dedupe`: one copy of each file that versions of a published site share."""

import argparse
from dataclasses import asdict

from ..site.dedupe import FOLDER, dedupe
from ..words import size
from .output import say, say_json


def run(options: argparse.Namespace) -> None:
    report = dedupe(options.folder)
    if options.json:
        say_json({"folder": str(options.folder / FOLDER), **asdict(report)})
        return
    say(f"{options.folder}: {report.manifests} manifests, {report.shared} files in {FOLDER}/; "
        f"shards and programs take {size(report.after)}, before {size(report.before)}")
