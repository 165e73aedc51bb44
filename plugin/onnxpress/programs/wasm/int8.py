"""Graphs of whole numbers -> WebAssembly modules that multiply bytes, or 16-bit integers.

A convolution or matrix product runs so under three conditions. Its weights are whole numbers of a
byte, its left operand is whole and fits, and its sums fit i32. All of it is exact.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ...graph.graph import Graph, Node, Value
from ...graph.storage import F32, Dot, Storage
from ...kernels.conv2d import wasm as conv2d
from ...ops import own_operands
from ...ops.attrs import Product
from ...ops.conv import Conv2d
from ...ops.pointwise import Pointwise
from ...ops.whole import Span, whole_values
from ...pack.targets import Arithmetic
from ...weights.encodings import is_int8
from ..describe import describe
from ..plan import plan_linear
from ..program import Program
from .build import ISAS, emit_module, publish


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers that products can multiply.

    `kind`: the storage of left operands. `isas`: each gives one build, called `name`-isa. `levels`:
    the most quantization steps of a value's range. `speedup`: a product's speed relative to f32.
    """

    name: str
    kind: str
    isas: tuple[str, ...]
    levels: int
    speedup: float


# i32x4.relaxed_dot_i8x16_i7x16_add_s takes bytes of 0..127; with AVX-VNNI it is one instruction.
# A sum of up to 8,256 products of a byte and 11 bits fits i32. The speedups were measured on
# ResNet-50's layers in V8; a visitor's device measures its own.
INTEGERS = (Integers("int8", "u8", ("relaxed",), 127, 3.5),
            Integers("int16", "i16", ISAS, 2047, 1.5))
SUM = 2**31 - 1  # the largest i32


def candidates(graph: Graph, integers: Integers, weights: Iterable[str]) -> dict[str, float]:
    """Product -> the time that it saves against f32, in multiply-adds of f32.

    These are the products that are faster in `integers`, and whose constants among `weights` no
    other node reads.
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    alone = {name for name in weights if readers[name] == 1}
    return {
        node.name: saved for node in graph.nodes
        if _weights_of(node) in alone and not _in_groups(node)
        and [n in graph.constants for n in node.inputs[:3]] == [False, True, True]
        and len(graph.shape(node.inputs[1])) in (2, 4)
        and (saved := _work(node, graph) - _multiplications(node, graph) / integers.speedup) > 0}


def work(graph: Graph) -> dict[str, float]:
    """Kind of arithmetic -> the time of all products that use it, in its own multiply-adds."""
    total: defaultdict[str, float] = defaultdict(float)
    for node in graph.nodes:
        if not isinstance(node.attrs, Product):
            continue
        if node.attrs.dot:
            total[node.attrs.dot.x.kind] += _multiplications(node, graph)
        else:
            total["f32"] += _work(node, graph)
    return {kind: float(f"{amount:.4g}") for kind, amount in total.items()}


def _multiplications(node: Node, graph: Graph) -> int:
    return prod(graph.shape(node.inputs[1])[:-1]) * prod(graph.shape(node.name))


def _work(node: Node, graph: Graph) -> float:
    if isinstance(node.attrs, Conv2d):
        return conv2d.work(node, graph)
    return graph.shape(node.inputs[0])[-1] * prod(graph.shape(node.name))


def build(marked: Graph, integers: Integers, published: Iterable[str], workers: bool = False
          ) -> Program[Arithmetic]:
    """The modules of `integers` and the manifest's facts about them. `marked`: a graph from `mark`.

    Constants that are not `published` lie in the modules. `workers`: as in `publish`.
    """
    plan, known = plan_linear(marked, "wasm"), set(published)
    own = {n: c for n, c in marked.constants.items() if n not in known}
    modules = {f"{integers.name}-{isa}": emit_module(plan, isa, own) for isa in integers.isas}
    about = describe(plan, marked)
    placed = tuple(slot for slot in about.weights if slot.tensor in known)
    files, facts = publish(modules, replace(about, weights=placed), workers)
    return Program("wasm", files, Arithmetic(**vars(facts), work=work(marked)))


def mark(graph: Graph, kind: str, weights: Collection[str]) -> Graph:
    """The graph whose products on whole numbers of `kind` say so in their attribute `dot`.

    `dot` of a product and `out` of other nodes state how values between such products are stored.
    `weights` arrive as bytes.
    """
    spans = whole_values(graph)
    storages = {name: found for name, span in spans.items() if (found := _storage(span, kind))}
    sums = {n.name: found for n in graph.nodes if _weights_of(n) in weights
            and (found := _sums(n, graph, storages, spans)) is not None}
    read = {name for node in graph.nodes if node.name in sums for name in node.inputs}
    nodes, constants, values = [], dict(graph.constants), dict(graph.values)
    for node in graph.nodes:
        if node.name in sums:
            bias = f"{node.name}.{kind}"
            constants[bias], values[bias] = sums[node.name], Value(sums[node.name].shape)
            node = replace(node, inputs=(*node.inputs[:2], bias, *node.inputs[3:]))
            node = node.with_attrs(dot=_dot(node, graph, storages, node.name in read))
        elif isinstance(node.attrs, Pointwise) and len(node.inputs) == 1 and (
                node.name in read & {*storages}):
            node = node.with_attrs(out=storages[node.name])
        nodes.append(node)
    return graph.rebuild(nodes, values, constants)


def _weights_of(node: Node) -> str:
    """The name of a product's weights, or ""."""
    return node.inputs[1] if isinstance(node.attrs, Product) else ""


def _in_groups(node: Node) -> bool:
    return isinstance(node.attrs, Conv2d) and node.attrs.groups > 1


def _storage(span: Span, kind: str) -> Storage | None:
    """How `kind` stores values of `span` and 0, or None if they do not fit."""
    lo, hi = int(min(span.lo, 0)), int(max(span.hi, 0))
    if kind == "u8":
        return Storage(kind, lo) if hi - lo < 128 else None
    return Storage(kind) if -(1 << 15) <= lo and hi < 1 << 15 else None


def _sums(node: Node, graph: Graph, storages: Mapping[str, Storage],
          spans: Mapping[str, Span]) -> np.ndarray | None:
    """f64[O]: the start of each of a product's sums, so that elements count from `low`; None if the
    product cannot run on whole numbers."""
    if _in_groups(node):
        return None
    x, (w, bias) = storages.get(node.inputs[0]), (graph.constants.get(n) for n in node.inputs[1:3])
    if x is None or w is None or bias is None or w.ndim not in (2, 4) or not is_int8(w):
        return None
    rows = w.reshape(-1, w.shape[-1])
    start = np.rint(bias.astype(np.float64)) + x.low * rows.sum(0, dtype=np.float64)
    span = spans[node.inputs[0]]
    most = max(span.hi - x.low, x.low - span.lo)
    largest = most * np.abs(rows).sum(0, dtype=np.float64) + np.abs(start)
    return start if largest.max(initial=0) <= SUM else None


def _dot(node: Node, graph: Graph, storages: Mapping[str, Storage], read: bool) -> Dot:
    """The storages of a product. Residuals are stored like the output, since they are read at its
    addresses."""
    extras, out = node.inputs[own_operands(node):], graph.shape(node.name)
    residuals = [n for n in extras if graph.shape(n) == out]
    compact = read and node.name in storages and all(n in storages for n in residuals)
    return Dot(storages[node.inputs[0]], storages[node.name] if compact else F32,
               tuple(storages[n] if compact and n in residuals else F32 for n in extras))
