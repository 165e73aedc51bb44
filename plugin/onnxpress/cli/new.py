"""`onnxpress new`: a spec to start from."""

import argparse

from ..errors import SpecError
from ..spec import NAME
from ..tasks import TASKS
from .output import say

TEMPLATE = """\
title: {title}
description: What a visitor sees and does here, in a sentence or two.
task: {task}
model: {name}.onnx   # or a card of models/, package:NAME/path.onnx, {{url: …, sha256: …}}
{body}weights: auto   # f32, f16, int8, int4; auto takes the smallest whose numbers hold
loading: click   # lazy: when it comes into view; eager: at once
licence: The model's licence
"""


def run(options: argparse.Namespace) -> None:
    name = options.name.removesuffix(".yml")
    if not NAME.fullmatch(name):
        raise SpecError(f'"{name}" cannot be part of a web address; use letters, digits, - and _')
    path = options.folder / f"{name}.yml"
    if path.exists():
        raise SpecError(f"{path}: this file exists; choose another name")
    task = TASKS[options.task]
    sample = task.kind.given.body if task.kind.given else ""
    body = (task.body + sample).format(name=name)
    title = name.replace("-", " ").replace("_", " ").capitalize()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(TEMPLATE.format(title=title, name=name, task=options.task, body=body), "utf-8",
                    newline="\n")
    say(f"{path} is written. Fill it in, then run: onnxpress serve")
