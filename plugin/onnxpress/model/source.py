"""A card's source -> ModelProto: a local file, a package's file, a pinned URL, or a recipe.

Files from outside have a largest size, and downloads are pinned by sha256. External tensor data
must lie inside the model's own folder.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto as ModelProto
from onnx import TensorProto

from ..errors import ModelError, SpecError, UnavailableError
from ..spec import Card, Source
from ..spec.files import package_path, python_reference
from .download import fetch
from .frontends import Shapes
from .frontends.child import run_apart
from .frontends.tflite import MAGIC, read_tflite
from .spill import spill

MAX_MODEL_BYTES = 2 << 30  # protobuf's own limit

INSTEAD = "write the Python that builds the model as python: net.py:build"
# First bytes of files that are often served or stored in place of a model -> the kind of file.
IMPOSTORS = {
    b"version https://git-lfs": "a Git LFS pointer, not the model; run git lfs pull",
    b"<!DOCTYPE": "an HTML page, not a model",
    b"<html": "an HTML page, not a model",
    b"PK\x03\x04": f"a zip archive (a PyTorch checkpoint?); {INSTEAD}",
    b"\x80\x02": f"a Python pickle; {INSTEAD}",
    b"{": "JSON text, not a model",
}


@dataclass(frozen=True)
class Loaded:
    """A model and the source that it came from. `refused`: why each earlier source failed."""

    model: ModelProto
    source: Source
    refused: tuple[str, ...] = ()


def load_card_model(card: Card, cache: Path, shapes: Shapes,
                    scratch: Path | None = None) -> Loaded:
    """The model from the first of the card's sources that can be reached.

    A source that can be reached but is wrong (another sha256, not an ONNX file) is an error; the
    next source is not tried. `cache`: folder of downloads. `shapes`: input name -> shape, for
    frameworks that trace their models. `scratch`: folder for a large model's weights.

    Raises:
        ModelError: no source can be reached, or one is wrong; the message gives the reasons.
    """
    refused = []
    for source in card.sources:
        try:
            model = spill(_load(source, cache, shapes), scratch)
            return Loaded(model, source, tuple(refused))
        except UnavailableError as error:
            refused.append(str(error))
    raise ModelError("; ".join(refused))


def _load(source: Source, cache: Path, shapes: Shapes) -> ModelProto:
    if source.python is None:
        return read_model(_file(source, cache))
    weights = source.weights and _weights(source.weights, cache)
    return run_apart(source.python, source.function, source.arguments, shapes, weights)


def _weights(source: Source, cache: Path) -> tuple[Path, str]:
    """(path, the file's own name). They differ for a download, whose path is its hash."""
    path = _file(source, cache)
    return path, (source.url or source.package or path.name).rpartition("/")[2]


def _file(source: Source, cache: Path) -> Path:
    if source.url:
        assert source.sha256, "a card with a url and no sha256 is refused when it is read"
        return fetch(source.url, source.sha256, cache, source.bytes or MAX_MODEL_BYTES)
    path = source.file or _package_file(source.package or "", source.where)
    if source.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != source.sha256:
        raise ModelError(f"{source.where}: {path.name} does not have the sha256 that is written")
    return path


def _package_file(package: str, where: str) -> Path:
    try:
        return package_path(package, where)
    except SpecError as error:
        raise UnavailableError(str(error)) from error


def load_model(path: Path, shapes: Shapes, scratch: Path | None = None) -> ModelProto:
    """The model in the file `path`: ONNX, TFLite, or Python as "net.py:build". `shapes`: input name
    -> shape. `scratch`: folder for a large model's weights."""
    name, function = python_reference(path.name)
    if name.endswith(".py"):
        return spill(run_apart(path.with_name(name), function, {}, shapes), scratch)
    return spill(read_model(path), scratch)


def read_model(path: Path) -> ModelProto:
    """The model in an ONNX or TFLite file, with its external data.

    Raises:
        ModelError: the file is missing, too large, not a model or truncated, or its external data
            lies outside of its folder or out of bounds.
    """
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError(f"{path.name}: over 2 GiB; keep the weights as external data")
        if not path.is_file() and not path.is_dir():  # reading a pipe may wait for ever
            raise ModelError(f"{path}: this is not a plain file")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from error
    if data[4:8] == MAGIC:
        return read_tflite(path)
    for start, what in IMPOSTORS.items():
        if data.startswith(start):
            raise ModelError(f"{path.name}: this is {what}")
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise ModelError(f"{path.name}: not an ONNX file, or cut short ({error})") from error
    if not model.graph.node or not model.opset_import:
        raise ModelError(f"{path.name}: not an ONNX file: it has no graph")
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.raw_data = _external(tensor, path)
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    return model


def _tensors(message: Any) -> Iterator[TensorProto]:
    """The tensors at every depth of a protobuf message: weights, attributes, branches.

    Raises:
        ModelError: a name in the message is no text.
    """
    for field, value in message.ListFields():
        parts = value if field.is_repeated else (value,)
        if field.message_type:
            for part in parts:
                yield from _tensors(part)
        elif field.type == field.TYPE_STRING:
            for part in parts:
                if isinstance(part, bytes):  # protobuf hands over a name that it cannot read
                    raise ModelError(f"the file is damaged: its {field.name} "
                                     f'"{part.decode(errors="replace")}" is not UTF-8 text')
    if isinstance(message, TensorProto):
        yield message


def _external(tensor: TensorProto, model: Path) -> bytes:
    """The bytes of one external tensor of the file `model`. They lie in the folder of that file. If
    it is a link, they may lie beside its target: so does all data in the cache of a model hub."""
    where = f"tensor {tensor.name}: external data"
    facts = {e.key: e.value for e in tensor.external_data}
    location = facts.get("location", "")
    parts = PurePosixPath(location).parts
    if not parts or parts[0] == "/" or ".." in parts or any(c in location for c in "\\:#\0"):
        raise ModelError(f'{where} "{location}" is not a plain path inside the model\'s folder')
    try:
        path = (model.parent / location).resolve(strict=True)
        if not any(path.is_relative_to(folder.resolve())
                   for folder in (model.parent, model.resolve().parent)):
            raise ModelError(f'{where} "{location}" is a link that leads out of the model\'s '
                             "folder; copy the file into it")
        if not path.is_file():
            raise ModelError(f'{where} "{location}" is not a plain file')
        size = path.stat().st_size
        offset = int(facts.get("offset", 0))
        length = int(facts.get("length", size - offset))
        if offset < 0 or length < 0 or offset + length > size:
            raise ModelError(f'{where} "{location}" has {size} bytes; the model asks for '
                             f"{length} from {offset}")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            file.seek(offset)
            return file.read(length)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        why = getattr(error, "strerror", None) or error
        raise ModelError(f'{where} "{location}" cannot be read: {why}') from error
