"""A card's source -> ModelProto: a local file, a package's file, a pinned URL, or a recipe.

Whatever comes from outside is size-capped and pinned by sha256 where it crossed the network;
external tensor data stays inside the model's own folder.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

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
# First bytes of what is served or stored in a model's place.
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
    """A model and the source that served; `refused` says why earlier sources did not."""

    model: ModelProto
    source: Source
    refused: tuple[str, ...] = ()


def load_card_model(card: Card, cache: Path, shapes: Shapes,
                    scratch: Path | None = None) -> Loaded:
    """The model of the first of the card's sources that can be reached; `shapes` of inputs serve
    frameworks that trace their models; a large model's weights go to the folder `scratch`. What can
    be reached and is wrong (another sha256, no ONNX file) is an error, not a reason to go on.

    Raises:
        ModelError: none can be reached, or one is wrong; the message gives each one's reason.
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
    """Where the file is, and the name it was given: a download's path is its hash."""
    path = _file(source, cache)
    return path, (source.url or source.package or path.name).rpartition("/")[2]


def _file(source: Source, cache: Path) -> Path:
    if source.url:
        return fetch(source.url, source.sha256, cache, source.bytes or MAX_MODEL_BYTES)
    path = source.file or _package_file(source)
    if source.sha256 and hashlib.sha256(path.read_bytes()).hexdigest() != source.sha256:
        raise ModelError(f"{source.where}: {path.name} does not have the sha256 that is written")
    return path


def _package_file(source: Source) -> Path:
    try:
        return package_path(source.package, source.where)
    except SpecError as error:
        raise UnavailableError(str(error)) from error


def load_model(path: Path, shapes: Shapes, scratch: Path | None = None) -> ModelProto:
    """The model in a file of any kind: ONNX, TFLite, or Python as "net.py:build". A large model's
    weights go to the folder `scratch`."""
    name, function = python_reference(path.name)
    if name.endswith(".py"):
        return spill(run_apart(path.with_name(name), function, {}, shapes), scratch)
    return spill(read_model(path), scratch)


def read_model(path: Path) -> ModelProto:
    """The ONNX file, external data included.

    Raises:
        ModelError: missing, too large, not ONNX, truncated, or its external data is not sound.
    """
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise ModelError(f"{path.name}: over 2 GiB; keep the weights as external data")
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
    _load_external(model, path.parent.resolve())
    return model


def _load_external(model: ModelProto, folder: Path) -> None:
    tensors = list(model.graph.initializer)
    tensors += [a.t for n in model.graph.node for a in n.attribute if a.HasField("t")]
    for tensor in tensors:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.raw_data = _external(tensor, folder)
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]


def _external(tensor: onnx.TensorProto, folder: Path) -> bytes:
    """The bytes of one external tensor: a plain file inside the model's folder, within bounds."""
    where = f"tensor {tensor.name}: external data"
    facts = {e.key: e.value for e in tensor.external_data}
    location = facts.get("location", "")
    parts = PurePosixPath(location).parts
    if not parts or parts[0] == "/" or ".." in parts or any(c in location for c in "\\:#\0"):
        raise ModelError(f'{where} "{location}" is not a plain path inside the model\'s folder')
    path = folder / location
    if any(p.is_symlink() for p in (path, *path.parents) if p != folder and folder in p.parents):
        raise ModelError(f'{where} "{location}" is a link; links are not followed')
    try:
        offset, size = int(facts.get("offset", 0)), path.stat().st_size
        length = int(facts.get("length", size - offset))
    except (OSError, ValueError) as error:
        raise ModelError(f'{where} "{location}" cannot be read: {error}') from error
    if path.stat().st_nlink > 1:
        raise ModelError(f'{where} "{location}" is a hard link; links are not followed')
    if offset < 0 or length < 0 or offset + length > size:
        raise ModelError(f'{where} "{location}" has {size} bytes; the model asks for '
                         f"{length} from {offset}")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        file.seek(offset)
        return file.read(length)
