"""Demo -> a proven pack whose manifest says how its input is made, with sample results.

Results are the published program's on the published sample files, read by the
browser's rules: a page shows at once what the visitor's device will repeat, and every build machine
writes the same bytes, which onnxruntime, whose sums depend on the processor, would not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from ..compiler import Notes, Options, Progress, assemble, lower
from ..errors import SpecError, did_you_mean
from ..files import write_file
from ..graph.graph import Graph
from ..kinds.base import Shapes
from ..limits import LIMITS, Limits
from ..manifest import demo as facts
from ..manifest.manifest import Manifest, Note
from ..manifest.pack import Pack, finish
from ..model.source import Loaded, load_card_model
from ..ops.interpret import interpret
from ..proof.verify import Feeds
from ..run.wasmtime import open_program
from ..spec import Control, Demo, Sample, Source
from ..tasks import TASKS
from ..tasks.base import Answer, Task
from ..weights.shards import read_weights
from .inputs import Entry, check_names, describe_control, find_entry, input_shapes, model_inputs

INLINE_LABELS = 64  # more are a file of their own, which pages share
MAX_OPTIONS = 40  # of a blend that get pictures; each costs a run of the reference
UNTRAINED = ("The weights are untrained: they are drawn from a seeded generator. "
             "This page shows speed only; its answers mean nothing.")


def press_demo(demo: Demo, folder: Path, downloads: Path,
               progress: Progress = lambda stage: None, limits: Limits = LIMITS) -> Pack:
    """The pack of `demo` in `folder`; models from the web are kept in `downloads`.

    Raises:
        SpecError: the spec does not fit the model.
        OnnxPressError: as `compiler.press`.
    """
    progress("loading the model")
    with TemporaryDirectory(prefix="onnxpress-", ignore_cleanup_errors=True) as scratch:
        loaded = load_card_model(demo.card, downloads, demo.shapes, Path(scratch))
        return _press(demo, loaded, folder, progress, limits)


def _press(demo: Demo, loaded: Loaded, folder: Path, progress: Progress,
           limits: Limits) -> Pack:
    shapes = input_shapes(loaded.model, demo.shapes)
    check_names(demo, shapes)
    entry = find_entry(demo, shapes)
    values = [_published(entry, sample, folder) for sample in demo.samples] if entry else []
    feeds = [model_inputs(demo, shapes, entry, value) for value, _ in values] if entry else []
    fixed = {name: shape for name, shape in demo.shapes.items() if name in shapes}
    manifest = assemble(loaded.model, folder, Options(
        demo.name, demo.targets, demo.weights, fixed, feeds,
        {entry.name: entry.given.bounds(entry.options)} if entry else {},
        _answer(demo, loaded.model), partial(shown_output, demo), demo.simplify, limits),
        progress)
    progress("drawing results")
    output = shown_output(demo, {port.name: port.shape for port in manifest.outputs})
    stage = _Stage(demo, TASKS[demo.task], entry, loaded.source.trained, folder, published_run(
        manifest, folder, output, lambda: lower(loaded.model, fixed, Notes(), demo.simplify)))
    samples = [_sample(stage, entry, sample, value, url, feed)
               for sample, (value, url), feed in zip(demo.samples, values, feeds, strict=True)
               ] if entry else []
    controls = [describe_control(c, _thumbnails(stage, c, feeds)) for c in demo.controls]
    refused = map(_refused, demo.card.sources[: len(loaded.refused)])
    return finish(replace(manifest, notes=(*manifest.notes, *refused),
                          demo=_described(stage, output, samples, controls)), folder)


def _answer(demo: Demo, model: Any) -> Answer:
    """What the gates of encodings judge by; `shown_output` refuses a name that is not there."""
    names = [port.name for port in model.graph.output]
    wanted = demo.output.output
    shown = names.index(wanted) if wanted in names else 0
    return Answer(TASKS[demo.task], shown, demo.output)


def _refused(source: Source) -> Note:
    """A note without the system's own words, which differ between machines."""
    what = source.url or (source.weights or source).package or "a source"
    return Note("source", f"{what} could not be had; the card's next source serves")


@dataclass(frozen=True)
class _Stage:
    """What results are drawn with; `run` gives the shown output."""

    demo: Demo
    task: Task
    entry: Entry | None
    trained: bool
    folder: Path
    run: Callable[[Feeds], np.ndarray]

    def write(self, stem: str, content: bytes, suffix: str) -> str:
        """The name of the file that now holds `content`."""
        return write_file(self.folder, stem, content, suffix).url


def published_run(manifest: Manifest, folder: Path, name: str, graph: Callable[[], Graph]
                  ) -> Callable[[Feeds], np.ndarray]:
    """Inputs -> output `name` in its own shape, by the SIMD build of the WebAssembly program, whose
    arithmetic is IEEE 754's alone; without one, by `graph` in float64 with the published weights.
    Nothing is loaded before the first call."""
    at = [port.name for port in manifest.outputs].index(name)
    wasm, weights = manifest.targets.wasm, manifest.weights

    @cache
    def opened() -> Callable[[Feeds], np.ndarray]:
        if wasm is None:
            plain = replace(graph(), constants=read_weights(weights, folder))
            return lambda feeds: interpret(plain, feeds)[name]
        program = open_program(wasm, weights, folder, "simd128")
        return lambda feeds: program.run([feeds[port.name] for port in manifest.inputs])[at]

    return lambda feeds: opened()(feeds).reshape(manifest.outputs[at].shape)


def _published(entry: Entry, sample: Sample, folder: Path) -> tuple[Any, str]:
    """The sample as visitors read it, and its file's name."""
    given = entry.given
    content = given.publish(given.open(sample.path, sample.where))
    url = write_file(folder, "sample", content, given.suffix).url
    return given.open(content, sample.where), url


def shown_output(demo: Demo, outputs: Shapes) -> str:
    """The name of the output that the page shows; `outputs` of the model, with their shapes.

    Raises:
        SpecError: the model has no such output, or the output is not what the task needs.
    """
    wanted = demo.output.output or next(iter(outputs))
    if wanted not in outputs:
        raise SpecError(f'{demo.where}: output.output: the model has no output "{wanted}".'
                        f"{did_you_mean(wanted, list(outputs))}")
    why = TASKS[demo.task].misfit(wanted, tuple(outputs[wanted]), demo.reading)
    if why:
        raise SpecError(f"{demo.where}: {why}")
    return wanted


def _sample(stage: _Stage, entry: Entry, sample: Sample, value: Any, url: str, feed: Feeds
            ) -> facts.Sample:
    """The manifest's entry of a sample, whose result is drawn now."""
    given, task = entry.given, stage.task
    found = facts.Sample(
        url=url, title=sample.title, licence=sample.licence,
        thumbnail=stage.write("thumbnail", given.thumbnail(value), "webp"),
        author=sample.author or None, source=sample.source or None, facts=given.state(value))
    card = None
    if stage.trained and task.decode and task.draw:
        result = task.decode(stage.run(feed), stage.demo.reading)
        drawn = task.draw(result, entry.see(value), stage.write)
        found, card = replace(found, result=drawn.result), drawn.card
    return replace(found, card=stage.write("card", card or given.card(value), "webp"))


def _thumbnails(stage: _Stage, control: Control, feeds: Sequence[Feeds]) -> list[str]:
    """File names of small pictures, one per option of a blend: what the option makes of the first
    sample. Empty where options cannot be shown so."""
    decode, draw, options = stage.task.decode, stage.task.option, len(control.options)
    if not (stage.trained and feeds and decode and draw and 1 < options <= MAX_OPTIONS):
        return []
    names, shape = [], feeds[0][control.input].shape
    for i in range(options):
        values = replace(control, initial=i).start(options)
        output = stage.run({**feeds[0],
                            control.input: np.asarray(values, np.float32).reshape(shape)})
        names.append(stage.write("option", draw(decode(output, stage.demo.reading)), "webp"))
    return names


def _described(stage: _Stage, output: str, samples: Sequence[facts.Sample],
               controls: Sequence[facts.Control]) -> facts.Demo:
    """The manifest's `demo`."""
    demo, entry = stage.demo, stage.entry
    labels: tuple[str, ...] | str = demo.labels
    if len(labels) > INLINE_LABELS:
        labels = stage.write("labels", "\n".join(labels).encode(), "txt")
    return facts.Demo(
        title=demo.title, task=replace(demo.output, output=output), loading=demo.loading,
        given=entry.described if entry else None, labels=labels, samples=tuple(samples),
        controls=tuple(controls), threads=None if demo.threads == "auto" else demo.threads,
        weights_note="" if stage.trained else UNTRAINED)
