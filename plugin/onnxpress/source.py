"""A card's source -> ModelProto: a local file, a package's file, a pinned URL, or a recipe.

Whatever comes from outside is size-capped and pinned by
sha256 where it crossed the network; external tensor data stays inside the model's own folder.
"""

import hashlib
import importlib
import os
import sys
import types
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

from .download import fetch
from .errors import ModelError, SpecError, UnavailableError
from .spec import Card, Source
from .spec.files import package_path

MAX_MODEL_BYTES = 2 << 30  # protobuf's own limit

# First bytes of what is served or stored in a model's place.
IMPOSTORS = {
    b"version https://git-lfs": "a Git LFS pointer, not the model; run git lfs pull",
    b"<!DOCTYPE": "an HTML page, not a model",
    b"<html": "an HTML page, not a model",
    b"PK\x03\x04": "a zip archive (a PyTorch checkpoint?); export the model to ONNX",
    b"\x80\x02": "a Python pickle; export the model to ONNX",
    b"{": "JSON text, not a model",
}


@dataclass(frozen=True)
class Loaded:
    """A model and the source that served; `refused` says why earlier sources did not."""

    model: ModelProto
    source: Source
    refused: tuple[str, ...] = ()


def load_card_model(card: Card, cache: Path) -> Loaded:
    """The model of the first of the card's sources that can be reached. What can be reached and
    is wrong (another sha256, no ONNX file) is an error, not a reason to go on.

    Raises:
        ModelError: none can be reached, or one is wrong; the message gives each one's reason.
    """
    refused = []
    for source in card.sources:
        try:
            return Loaded(_load(source, cache), source, tuple(refused))
        except UnavailableError as error:
            refused.append(str(error))
    raise ModelError("; ".join(refused))


def _load(source: Source, cache: Path) -> ModelProto:
    if source.recipe is None:
        return read_model(_file(source, cache))
    arguments = dict(source.arguments)
    if source.weights:
        arguments["weights"] = _file(source.weights, cache)
    return run_recipe(source.recipe, arguments)


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


def run_recipe(path: Path, arguments: dict) -> ModelProto:
    """The model that the Python file's build(**arguments) returns. A recipe is code of the site's
    author and runs with the author's rights; files beside it may be imported relatively."""
    package = "onnxpress_recipes_" + hashlib.sha256(str(path.parent).encode()).hexdigest()[:8]
    if package not in sys.modules:
        module = types.ModuleType(package)
        module.__path__ = [str(path.parent)]
        sys.modules[package] = module
    try:
        model = importlib.import_module(f"{package}.{path.stem}").build(**arguments)
    except Exception as error:
        raise ModelError(f"{path.name}: the recipe failed: {type(error).__name__}: {error}"
                         ) from error
    if not isinstance(model, ModelProto):
        raise ModelError(f"{path.name}: build() returned {type(model).__name__}, not a ModelProto")
    return model


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
