"""Whether the parts of a manifest fit each other; runtime/load/sense.js says the same."""

from collections.abc import Container, Iterator
from math import ceil, prod

from ..errors import PackError
from ..pack.proof import Golden
from ..pack.targets import Linear, Wasm
from ..pack.values import Fault
from ..pack.weights import WeightTensor
from .manifest import Manifest, Port

BITS = {"f32": 32, "f16": 16, "int8": 8, "int4": 4}  # of a value
SCALE_BYTES = {"int8": 4, "int4": 2}  # of a scale
PAGE_ELEMENTS = 65536 // 4  # f32 elements of a page of WebAssembly's memory
MOST_PAGES = 65536  # pages that 32 bits can address
MOST_ELEMENTS = MOST_PAGES * PAGE_ELEMENTS
MOST_SEED = 2**32 - 1  # xorshift32's state has 32 bits


def require_sense(manifest: Manifest, where: str) -> None:
    """That the parts of a manifest fit each other; `where` begins the message.

    Raises:
        PackError: they do not; the message names the place.
    """
    fault = next(misfits(manifest), None)
    if fault:
        raise PackError(f"{where}: {fault.place}: {fault.what}; build the pack again")


def misfits(manifest: Manifest) -> Iterator[Fault]:
    """What does not fit, in the order in which runtime/load/sense.js looks."""
    yield from _ports(manifest.inputs, "inputs")
    yield from _ports(manifest.outputs, "outputs")
    for i, tensor in enumerate(manifest.weights.tensors):
        yield from _tensor(tensor, f"weights.tensors[{i}]")
    wasm, js = manifest.targets.wasm, manifest.targets.js
    if js:
        yield from _linear(js, manifest, "targets.js")
    if wasm:
        yield from _linear(wasm, manifest, "targets.wasm")
        for name, own in wasm.arithmetic.items():
            yield from _linear(own, manifest, f"targets.wasm.arithmetic.{name}")
            if own.golden:
                place = f"targets.wasm.arithmetic.{name}.golden"
                yield from _golden(own.golden, manifest, place)
    yield from _golden(manifest.golden, manifest, "golden")
    yield from _demo(manifest)


def _ports(ports: tuple[Port, ...], place: str) -> Iterator[Fault]:
    yield from _equal(len({port.name for port in ports}), len(ports), place)
    for i, port in enumerate(ports):
        yield from _at_most(prod(port.shape), MOST_ELEMENTS, f"{place}[{i}].shape")


def _tensor(tensor: WeightTensor, place: str) -> Iterator[Fault]:
    size, bits = prod(tensor.shape), BITS[tensor.encoding]
    yield from _equal(tensor.bytes, ceil(size * bits / 8), f"{place}.bytes")
    if tensor.encoding in SCALE_BYTES and size:
        columns = tensor.shape[-1] if tensor.shape else 1
        count = columns * (ceil(size // columns / tensor.group) if tensor.group else 1)
        found = tensor.scale.bytes if tensor.scale else 0
        yield from _equal(found, count * SCALE_BYTES[tensor.encoding], f"{place}.scale.bytes")


def _linear(about: Linear, manifest: Manifest, place: str) -> Iterator[Fault]:
    yield from _at_most(about.elements, MOST_ELEMENTS, f"{place}.elements")
    if isinstance(about, Wasm):
        yield from _at_most(about.pages, MOST_PAGES, f"{place}.pages")
        yield from _at_most(about.elements, about.pages * PAGE_ELEMENTS, f"{place}.elements")
    yield from _at_most(about.staging, about.elements, f"{place}.staging")
    for side, places, ports in (("inputs", about.inputs, manifest.inputs),
                                ("outputs", about.outputs, manifest.outputs)):
        yield from _equal(len(places), len(ports), f"{place}.{side}")
        for i, (at, port) in enumerate(zip(places, ports, strict=False)):
            yield from _equal(at.length, prod(port.shape), f"{place}.{side}[{i}].length")
            yield from _at_most(at.offset + at.length, about.elements,
                                f"{place}.{side}[{i}].offset")
    known = {tensor.name for tensor in manifest.weights.tensors}
    for i, slot in enumerate(about.weights):
        yield from _among(slot.tensor, known, f"{place}.weights[{i}].tensor")
        yield from _at_most(slot.offset, about.elements, f"{place}.weights[{i}].offset")


def _golden(golden: Golden, manifest: Manifest, place: str) -> Iterator[Fault]:
    yield from _at_most(golden.seed, MOST_SEED, f"{place}.seed")
    yield from _equal(len(golden.ranges), len(manifest.inputs), f"{place}.ranges")
    yield from _equal(len(golden.outputs), len(manifest.outputs), f"{place}.outputs")
    for k, (kept, port) in enumerate(zip(golden.outputs, manifest.outputs, strict=False)):
        yield from _equal(len(kept.values), len(kept.indices), f"{place}.outputs[{k}].values")
        yield from _at_most(max(kept.indices, default=-1), prod(port.shape) - 1,
                            f"{place}.outputs[{k}].indices")


def _demo(manifest: Manifest) -> Iterator[Fault]:
    demo = manifest.demo
    if not demo:
        return
    given = {port.name: prod(port.shape) for port in manifest.inputs}
    yield from _among(demo.task.output, {port.name for port in manifest.outputs},
                      "demo.task.output")
    if demo.given:
        yield from _among(demo.given.input, given, "demo.given.input")
    for i, control in enumerate(demo.controls):
        place, size = f"demo.controls[{i}]", given.get(control.input)
        yield from _among(control.input, given, f"{place}.input")
        if control.kind == "blend":
            yield from _equal(len(control.options), size, f"{place}.options")
            yield from _at_most(control.initial or 0, len(control.options) - 1,
                                f"{place}.initial")
        elif control.kind == "constant" and len(control.values) != 1:
            yield from _equal(len(control.values), size, f"{place}.values")


def _equal(found: int, wanted: int | None, place: str) -> Iterator[Fault]:
    if found != wanted:
        yield Fault(place, f"{wanted} is needed here, not {found}")


def _at_most(found: int, limit: int, place: str) -> Iterator[Fault]:
    if found > limit:
        yield Fault(place, f"at most {limit} is possible here, not {found}")


def _among(name: str, known: Container[str], place: str) -> Iterator[Fault]:
    if name not in known:
        yield Fault(place, f'nothing here is named "{name}"')
