"""Demo -> a proven pack whose manifest says how pictures reach the model, with sample results.

Results are the published program's on the published sample files, decoded and resized by the
browser's rules: a page shows at once what the visitor's device will repeat, and every build machine
writes the same bytes, which onnxruntime, whose sums depend on the processor, would not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from ..compiler import Notes, Options, Progress, finish, lower, press
from ..errors import SpecError, did_you_mean
from ..files import write_file
from ..graph.graph import Graph
from ..kinds.picture import fit, open_picture, publish, thumbnail
from ..model.source import Loaded, load_card_model
from ..ops.interpret import interpret
from ..pack.pack import Pack
from ..proof.verify import Feeds
from ..run.wasmtime import open_program
from ..spec import Control, Demo, Sample, Source
from ..tasks.gates import Task
from ..tasks.results import option_thumbnails, sample_result
from ..weights.shards import read_weights
from .inputs import bounds, control_json, image_input, input_shapes, model_inputs

INLINE_LABELS = 64  # more are a file of their own, which pages share
THUMBNAIL = 128
CARD = (480, 320)
MAX_OPTIONS = 40  # of a blend that get pictures; each costs a run of the reference
UNTRAINED = ("The weights are untrained: they are drawn from a seeded generator. "
             "This page shows speed only; its answers mean nothing.")


def press_demo(demo: Demo, folder: Path, downloads: Path,
               progress: Progress = lambda stage: None) -> Pack:
    """The pack of `demo` in `folder`; models from the web are kept in `downloads`.

    Raises:
        SpecError: the spec does not fit the model.
        OnnxPressError: as `compiler.press`.
    """
    progress("loading the model")
    with TemporaryDirectory(prefix="onnxpress-", ignore_cleanup_errors=True) as scratch:
        loaded = load_card_model(demo.card, downloads, demo.shapes, Path(scratch))
        return _press(demo, loaded, folder, progress)


def _press(demo: Demo, loaded: Loaded, folder: Path, progress: Progress) -> Pack:
    shapes = input_shapes(loaded.model, demo.shapes)
    image = image_input(demo, shapes)
    pictures = [_published(sample, folder) for sample in demo.samples]
    feeds = [model_inputs(demo, shapes, picture) for picture, _ in pictures]
    fixed = {name: shape for name, shape in demo.shapes.items() if name in shapes}
    pack = press(loaded.model, folder, Options(
        demo.name, demo.targets, demo.weights, fixed, feeds, bounds(demo, image),
        _task(demo, loaded.model)), progress)
    progress("drawing results")
    port = shown_output(demo, pack.manifest)
    stage = _Stage(demo, image, loaded.source.trained, folder, published_run(
        pack, port["name"], lambda: lower(loaded.model, fixed, Notes())))
    samples = [_sample_json(stage, sample, picture, url, feed) for sample, (picture, url), feed
               in zip(demo.samples, pictures, feeds, strict=True)]
    controls = [control_json(c, _thumbnails(stage, c, feeds)) for c in demo.controls]
    manifest = {
        **pack.manifest,
        "notes": [*pack.manifest["notes"],
                  *map(_refused, demo.card.sources[: len(loaded.refused)])],
        "demo": demo_json(stage, port["name"], samples, controls),
    }
    return finish(manifest, folder)


def _task(demo: Demo, model: Any) -> Task:
    """What the gates of encodings judge by; `shown_output` refuses a name that is not there."""
    names = [port.name for port in model.graph.output]
    wanted = demo.output.output
    return Task(demo.task, names.index(wanted) if wanted in names else 0, demo.output)


def _refused(source: Source) -> dict[str, str]:
    """A note without the system's own words, which differ between machines."""
    what = source.url or (source.weights or source).package or "a source"
    return {"where": "source", "reason": f"{what} could not be had; the card's next source serves"}


@dataclass(frozen=True)
class _Stage:
    """What results are drawn with: `image` as in the manifest, or None; `run` gives the shown
    output."""

    demo: Demo
    image: Mapping[str, Any] | None
    trained: bool
    folder: Path
    run: Callable[[Feeds], np.ndarray]

    def write(self, stem: str, content: bytes, suffix: str = "webp") -> str:
        """The name of the file that now holds `content`."""
        return write_file(self.folder, stem, content, suffix)["url"]


def published_run(pack: Pack, name: str, graph: Callable[[], Graph]
                  ) -> Callable[[Feeds], np.ndarray]:
    """Inputs -> output `name` in its own shape, by the SIMD build of the WebAssembly program, whose
    arithmetic is IEEE 754's alone; without one, by `graph` in float64 with the published weights.
    Nothing is loaded before the first call."""
    inputs, outputs = pack.manifest["inputs"], pack.manifest["outputs"]
    at = [port["name"] for port in outputs].index(name)

    @cache
    def opened() -> Callable[[Feeds], np.ndarray]:
        if "wasm" not in pack.manifest["targets"]:
            plain = replace(graph(), constants=read_weights(pack.manifest, pack.folder))
            return lambda feeds: interpret(plain, feeds)[name]
        program = open_program(pack.manifest, pack.folder, "simd128")
        return lambda feeds: program.run([feeds[port["name"]] for port in inputs])[at]

    return lambda feeds: opened()(feeds).reshape(outputs[at]["shape"])


def _published(sample: Sample, folder: Path) -> tuple[Image.Image, str]:
    """The sample as visitors decode it, and its file's name."""
    content = publish(open_picture(sample.path, sample.where))
    return open_picture(content, sample.where), write_file(folder, "sample", content, "webp")["url"]


def shown_output(demo: Demo, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The output that the page shows, as the manifest describes it.

    Raises:
        SpecError: the model has no such output, or as many classes as there are labels.
    """
    ports = {port["name"]: port for port in manifest["outputs"]}
    wanted = demo.output.output or next(iter(ports))
    if wanted not in ports:
        raise SpecError(f'{demo.where}: output.output: the model has no output "{wanted}".'
                        f"{did_you_mean(wanted, list(ports))}")
    classes = int(np.prod(ports[wanted]["shape"]))
    if demo.task == "image-classification" and demo.labels and classes != len(demo.labels):
        raise SpecError(f"{demo.where}: there are {len(demo.labels)} labels and the output "
                        f"has {classes} classes")
    return ports[wanted]


def _sample_json(stage: _Stage, sample: Sample, picture: Image.Image, url: str,
                 feed: Feeds) -> dict[str, Any]:
    entry = {
        "url": url,
        "size": list(picture.size),
        "title": sample.title,
        "licence": sample.licence,
        "thumbnail": stage.write("thumbnail", thumbnail(picture, THUMBNAIL, THUMBNAIL)),
    }
    entry |= {key: value for key, value in (("author", sample.author), ("source", sample.source))
              if value}
    drawn = None
    if stage.trained and stage.image:
        seen = fit(picture, stage.demo.preprocessing, tuple(stage.image["size"]))
        entry["result"], drawn = sample_result(stage.demo, stage.run(feed), seen, stage.folder)
    entry["card"] = stage.write("card", thumbnail(drawn or picture, *CARD))
    return entry


def _thumbnails(stage: _Stage, control: Control, feeds: Sequence[Feeds]) -> list[str]:
    """A file name per option of a blend, where options can be shown as pictures."""
    drawable = stage.trained and feeds and stage.demo.task == "image-to-image"
    if not drawable or not 1 < len(control.options) <= MAX_OPTIONS:
        return []
    return option_thumbnails(stage.demo, control, feeds[0], stage.run, stage.folder)


def demo_json(stage: _Stage, output: str, samples: Sequence[Mapping[str, Any]],
              controls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The manifest's `demo`; see `Demo` in runtime/types.js."""
    demo = stage.demo
    shown = {"name": output, **asdict(demo.output), "range": list(demo.output.range)}
    del shown["output"]
    labels: list[str] | str = list(demo.labels)
    if len(labels) > INLINE_LABELS:
        labels = stage.write("labels", "\n".join(labels).encode(), "txt")
    described = {
        "title": demo.title, "task": demo.task, "output": shown, "loading": demo.loading,
        "view": {"top": demo.top}, "image": stage.image, "labels": labels,
        "samples": list(samples), "controls": list(controls),
        "threads": demo.threads if demo.threads != "auto" else None,
        "weightsNote": "" if stage.trained else UNTRAINED,
    }
    return {key: value for key, value in described.items() if value}
