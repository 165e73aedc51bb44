"""Demo -> a proven pack whose manifest says how pictures reach the model, with sample results.

Results are the reference's (onnxruntime) on the published sample files themselves, decoded and
resized by the browser's rules, so a page shows at once what the visitor's device will repeat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .compiler import Options, Progress, finish, press
from .demo_inputs import bounds, control_json, image_input, input_shapes, model_inputs
from .errors import SpecError, did_you_mean
from .pack import Pack, write_file
from .picture import fit, open_picture, publish, thumbnail
from .results import sample_result
from .source import Loaded, load_card_model
from .spec import Demo, Sample
from .verify import Reference

INLINE_LABELS = 64  # more are a file of their own, which pages share
THUMBNAIL = 128
CARD = (480, 320)
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
    loaded = load_card_model(demo.card, downloads)
    shapes = input_shapes(loaded.model, demo.shapes)
    image = image_input(demo, shapes)
    pictures = [_published(sample, folder) for sample in demo.samples]
    feeds = [model_inputs(demo, shapes, picture) for picture, _ in pictures]
    fixed = {name: shape for name, shape in demo.shapes.items() if name in shapes}
    pack = press(loaded.model, folder, Options(
        demo.name, demo.targets, demo.weights, fixed, feeds, bounds(demo, image)), progress)
    _check_labels(demo, pack.manifest)
    progress("drawing results")
    reference = Reference(loaded.model.SerializeToString())
    outputs = [_shown(demo, pack.manifest, reference.run(feed)) for feed in feeds]
    samples = [
        _sample_json(demo, sample, picture, url, output, image, folder, loaded.source.trained)
        for sample, (picture, url), output in zip(demo.samples, pictures, outputs, strict=True)
    ]
    manifest = {
        **pack.manifest,
        "notes": [*pack.manifest["notes"],
                  *({"where": "source", "reason": r} for r in loaded.refused)],
        "demo": demo_json(demo, pack.manifest, image, samples, loaded, folder),
    }
    return finish(manifest, folder)


def _published(sample: Sample, folder: Path) -> tuple[Image.Image, str]:
    """The sample as visitors decode it, and its file's name."""
    content = publish(open_picture(sample.path, sample.where))
    return open_picture(content, sample.where), write_file(folder, "sample", content, "webp")["url"]


def _shown(demo: Demo, manifest: Mapping[str, Any], outputs: Sequence[np.ndarray]) -> np.ndarray:
    return outputs[_output_index(demo, manifest)]


def _output_index(demo: Demo, manifest: Mapping[str, Any]) -> int:
    names = [port["name"] for port in manifest["outputs"]]
    wanted = demo.output.output or names[0]
    if wanted not in names:
        raise SpecError(f'{demo.where}: output.output: the model has no output "{wanted}".'
                        f"{did_you_mean(wanted, names)}")
    return names.index(wanted)


def _sample_json(demo: Demo, sample: Sample, picture: Image.Image, url: str, output: np.ndarray,
                 image: Mapping[str, Any] | None, folder: Path, trained: bool) -> dict[str, Any]:
    entry = {
        "url": url,
        "size": list(picture.size),
        "title": sample.title,
        "licence": sample.licence,
        "thumbnail": write_file(folder, "thumbnail", thumbnail(picture, THUMBNAIL, THUMBNAIL),
                                "webp")["url"],
    }
    entry |= {key: value for key, value in (("author", sample.author), ("source", sample.source))
              if value}
    shown = picture
    if trained and image:
        seen = fit(picture, demo.preprocessing, tuple(image["size"]))
        entry["result"], shown = sample_result(demo, output, seen, folder)
    entry["card"] = write_file(folder, "card", thumbnail(shown or picture, *CARD), "webp")["url"]
    return entry


def demo_json(demo: Demo, manifest: Mapping[str, Any], image: Mapping[str, Any] | None,
              samples: Sequence[Mapping[str, Any]], loaded: Loaded, folder: Path) -> dict[str, Any]:
    """The manifest's `demo`; see `Demo` in runtime/types.js."""
    port = manifest["outputs"][_output_index(demo, manifest)]
    output = {"name": port["name"], **asdict(demo.output)}
    del output["output"]
    output["range"] = list(demo.output.range)
    described: dict[str, Any] = {"title": demo.title, "task": demo.task, "output": output,
                                 "loading": demo.loading, "view": {"top": demo.top}}
    if image:
        described["image"] = dict(image)
    if len(demo.labels) > INLINE_LABELS:
        text = "\n".join(demo.labels).encode()
        described["labels"] = write_file(folder, "labels", text, "txt")["url"]
    elif demo.labels:
        described["labels"] = list(demo.labels)
    if samples:
        described["samples"] = list(samples)
    if demo.controls:
        described["controls"] = [control_json(c) for c in demo.controls]
    if not loaded.source.trained:
        described["weightsNote"] = UNTRAINED
    return described


def _check_labels(demo: Demo, manifest: Mapping[str, Any]) -> None:
    if demo.task == "image-classification" and demo.labels:
        classes = int(np.prod(manifest["outputs"][_output_index(demo, manifest)]["shape"]))
        if classes != len(demo.labels):
            raise SpecError(f"{demo.where}: there are {len(demo.labels)} labels and the output "
                            f"has {classes} classes")
