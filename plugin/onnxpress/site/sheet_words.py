"""A proof sheet in words and rounded numbers, for its page and for the demo's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..manifest.sheet import ProvenFile, Role, Sheet
from ..pack.proof import ProofRow
from ..targets import TARGETS
from ..words import exponent
from .page_numbers import YARDSTICKS, TriedWords, build, error, half_precision, required, tried

ROLES: dict[Role, str] = {"model": "Source model", "weights": "Source weights",
                          "recipe": "Recipe", "sample": "Sample, as the author has it"}
KEY_PARTS = {"code": "Compiler and its tools", "demo": "Spec", "sources": "Sources in the card",
             "samples": "Titles and licences of samples", "files": "Source files and samples"}
PARTS = {"page": "Code of the page", "model": "Model: code and weights", "code": "Model: code",
         "weights": "Model: weights", "data": "Training data", "sample": "Sample"}
METRICS = {"peak": "of the output's peak", "l2": "relative L2"}


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the chain of hashes; `bytes` is 0 where it is no published file."""

    title: str
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """The error of one output of one build, and what was required of the build."""

    build: str
    output: str
    error: str
    required: str


@dataclass(frozen=True, slots=True)
class SheetWords:
    """What the page of a proof sheet shows. `unrun`: (target, reason); `device`: what a visitor's
    device is held to; `licences`: (part, name, licence, URL)."""

    chain: Sequence[Link]
    yardstick: str
    errors: Sequence[ErrorWords]
    refused: Sequence[TriedWords]
    half: str
    unrun: Sequence[tuple[str, str]]
    device: str
    licences: Sequence[tuple[str, str, str, str]]


def sheet_words(sheet: Sheet) -> SheetWords:
    """The whole sheet."""
    return SheetWords(
        chain=list(_chain(sheet)), yardstick=YARDSTICKS[sheet.yardstick],
        errors=[words for row in sheet.proof for words in _errors(row, sheet.outputs)],
        refused=[tried(row) for row in sheet.encodings if not row.holds],
        half=half_precision(sheet.f16),
        unrun=[(TARGETS[note.where].title, note.reason) for note in sheet.unrun],
        device=f"{exponent(sheet.device.tolerance)} {METRICS[sheet.device.metric]}",
        licences=[(PARTS[one.part], one.name, one.licence or "not stated", one.source)
                  for one in sheet.licences])


def key_figure(sheet: Sheet) -> str:
    """The one line of a demo's page: the largest error of a build that was run."""
    unrun = {note.where for note in sheet.unrun}
    ran = [row for row in sheet.proof if row.target not in {"reference", *unrun}]
    if not ran:
        return "no build was run before publication"
    worst = max(ran, key=lambda row: row.max_error_over_peak)
    builds = f"{len(ran)} builds" if len(ran) > 1 else "one build"
    return (f"{builds} within the limits, at most {error(worst)} of an output's peak off "
            f"({build(worst)})")


def _errors(row: ProofRow, outputs: Sequence[str]) -> Iterator[ErrorWords]:
    if not row.outputs:
        yield ErrorWords(build(row), ", ".join(outputs), error(row), required(row))
    for name, value in zip(outputs, row.outputs, strict=False):
        yield ErrorWords(build(row), name, exponent(value), required(row))


def _chain(sheet: Sheet) -> Iterator[Link]:
    for file in sheet.origin.files:
        yield Link(ROLES[file.role], file.name, 0, file.sha256)
    for part, digest in sheet.origin.parts.items():
        yield Link(f"Key: {KEY_PARTS.get(part, part)}", "", 0, digest)
    if sheet.origin.key:
        yield Link("Key of the pack", "", 0, sheet.origin.key)
    if sheet.graph:
        yield Link("Simplified graph", "as onnxpress explain prints it", 0, sheet.graph)
    titles: dict[ProvenFile, list[str]] = {}
    for file in sheet.files:
        titles.setdefault(replace(file, of=""), []).append(_title(file))
    for file, names in titles.items():
        yield Link("; ".join(names), file.name, file.bytes, file.sha256)


def _title(file: ProvenFile) -> str:
    if file.role != "program":
        return file.role.capitalize()
    target, _, name = file.of.partition(" ")
    about = TARGETS[target]
    return about.builds.get(name) or f"{about.title}, {name}"
