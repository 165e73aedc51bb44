"""The files beside an ONNX model that hold its weights, found without reading the model.

A page build needs their names for each demo, and a model may have gigabytes.
"""

import mmap
import re
from contextlib import suppress
from pathlib import Path

# StringStringEntryProto in onnx.proto: field 1 is the key "location", field 2 begins behind it.
LOCATION = re.compile(rb"\x0a\x08location\x12")
LONGEST = 4096  # bytes of a path on Linux


def external_files(model: Path) -> list[Path]:
    """The paths that the tensors of the ONNX file `model` name as their external data."""
    names: dict[str, None] = {}
    with suppress(OSError, ValueError), model.open("rb") as file:  # ValueError: it is empty
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for found in LOCATION.finditer(content):
                start, length = _varint(content, found.end())
                if 0 < length <= LONGEST:
                    with suppress(UnicodeDecodeError):
                        names[content[start : start + length].decode()] = None
    return [model.parent / name for name in names if "\0" not in name]


def _varint(content: mmap.mmap, at: int) -> tuple[int, int]:
    """(the position behind a protobuf varint of at most five bytes, its value)"""
    value = 0
    for i, byte in enumerate(content[at : at + 5]):
        value |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return at + i + 1, value
    return at, 0
