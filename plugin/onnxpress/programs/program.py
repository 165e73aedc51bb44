"""The result of a code generator: a target's published files, and facts for the browser."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..files import FileEntry, write_file
from ..pack.targets import (
    AnyTarget,
    JsTarget,
    Linear,
    Wasm,
    WasmTarget,
    Webgpu,
    WebgpuTarget,
)

Facts = TypeVar("Facts", bound=Webgpu | Linear, covariant=True)

KINDS: Mapping[str, type[AnyTarget]] = {
    "webgpu": WebgpuTarget, "wasm": WasmTarget, "js": JsTarget}


@dataclass(frozen=True)
class Program(Generic[Facts]):
    """A target's program. `files`: build name -> (bytes, suffix), which hold everything that runs.
    `about`: what the manifest says of it, such as addresses, weight placements and step labels."""

    target: str
    files: Mapping[str, tuple[bytes, str]]
    about: Facts


AnyProgram = Program[Webgpu] | Program[Wasm] | Program[Linear]


def write_builds(program: Program[Any], folder: Path) -> dict[str, FileEntry]:
    """Build name -> the entry of its file, which is now in `folder`. Equal builds share a file.

    Raises:
        PackError: a file cannot be written.
    """
    return {build: write_file(folder, program.target, content, suffix)
            for build, (content, suffix) in program.files.items()}


def publish(program: AnyProgram, folder: Path) -> AnyTarget:
    """The program as the manifest has it; its files are now in `folder`.

    Raises:
        PackError: a file cannot be written.
    """
    return KINDS[program.target](files=write_builds(program, folder), **vars(program.about))
