"""Constants on their way into a WebAssembly program's heap: every encoding and every packed layout,
in wasmtime and as a page does it, against numpy. Nothing else may change."""

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnxpress.emit.layout import ALIGN, SLACK, LinearPlan, Packing, Weight, round_up
from onnxpress.emit.wasm import packings
from onnxpress.graph.graph import Graph
from onnxpress.pack.targets import Linear
from onnxpress.pack.values import to_json
from onnxpress.programs.addresses import staged
from onnxpress.programs.describe import describe
from onnxpress.programs.wasm.build import emit_module
from onnxpress.run.wasmtime import WasmProgram
from onnxpress.runtime import RUNTIME
from onnxpress.weights.encodings import GROUP, decode, encode
from onnxpress.weights.shards import Stored
from support.node import find_node
from support.step_heap import GUARD

ENCODINGS = ("f32", "f16", "int8", "int4")
SCALE = 0.02  # of weights
EPSILON = 2.0**-23
Words = tuple[np.ndarray, np.ndarray]  # u32 of a weight in the heap, and which of them are defined


def blocked(m: np.ndarray) -> Words:
    """[groups, k, n] as `packings.gemm` lays it out; lanes beyond n hold anything."""
    found: list[np.ndarray] = []
    for content in (m.view(np.uint32), np.ones(m.shape, bool)):
        wide = np.pad(content, ((0, 0), (0, 0), (0, -m.shape[2] % 4)))
        found.append(np.concatenate([group[:, j : j + 8].ravel() for group in wide
                                     for j in range(0, m.shape[2], 8)]))
    return found[0], found[1]


def gemm(w: np.ndarray, k: int, n: int, groups: int, pitch: int) -> Words:
    assert pitch == groups * n
    return blocked(np.ascontiguousarray(w.reshape(k, groups, n).transpose(1, 0, 2)))


def blocks(w: np.ndarray, taps: int, c: int, o: int, groups: int, merge: int, pitch: int) -> Words:
    assert pitch == groups * o
    out = np.zeros((groups // merge, taps, merge * c, merge * o), np.float32)
    for g in range(groups):
        i = g % merge
        out[g // merge, :, i * c : i * c + c, i * o : i * o + o] = (
            w.reshape(taps, c, groups, o)[:, :, g])
    return blocked(out.reshape(groups // merge, taps * merge * c, merge * o))


def spread(w: np.ndarray, kh: int, kw: int, c: int, o: int) -> Words:
    moved = w.reshape(kh, kw, c, o).transpose(0, 2, 1, 3)
    return blocked(np.ascontiguousarray(moved).reshape(1, kh * c, kw * o))


def depthwise(w: np.ndarray, taps: int, c: int) -> Words:
    lanes = ((0, 0), (0, -c % 4))
    moved = [np.pad(a, lanes).reshape(taps, -1, 4).transpose(1, 0, 2).ravel()
             for a in (w.reshape(taps, c).view(np.uint32), np.ones((taps, c), bool))]
    return moved[0], moved[1]


def dot(w: np.ndarray, kind: type, taps: int, c: int, n: int) -> Words:
    count = 4 // np.dtype(kind).itemsize
    rows = np.pad(w.reshape(taps, c, n), ((0, 0), (0, -c % count), (0, 0))).astype(kind)
    units = rows.reshape(-1, count, n).transpose(0, 2, 1)
    return blocked(np.ascontiguousarray(units).view(np.uint32).reshape(1, -1, n))


REFERENCES: dict[str, Callable[..., Words]] = {
    "gemm": gemm, "blocks": blocks, "spread": spread, "depthwise": depthwise,
    "dot_u8": lambda w, *args: dot(w, np.int8, *args),
    "dot_i16": lambda w, *args: dot(w, np.int16, *args),
    "raw": lambda w: (w.view(np.uint32).ravel(), np.ones(w.size, bool)),
}


@dataclass(frozen=True)
class Case:
    shape: tuple[int, ...]
    packing: Packing


def case(packing: Packing, *shape: int) -> Case:
    return Case(shape, packing)


FLOAT = [
    *(case(packings.gemm(k, n, groups), k, groups * n)
      for k, n, groups in ((1, 1, 1), (1, 4, 1), (2, 3, 2), (7, 5, 1), (8, 8, 1), (19, 17, 1),
                           (9, 12, 2), (3, 13, 3), (65, 40, 1), (70, 6, 1))),
    *(case(packings.blocks(taps, c, o, groups, merge), taps, c, groups * o)
      for taps, c, o, groups, merge in ((9, 1, 1, 4, 4), (1, 3, 2, 4, 2), (4, 2, 3, 3, 3),
                                        (2, 3, 6, 4, 2))),
    *(case(packings.spread(*shape), *shape)
      for shape in ((3, 3, 2, 3), (1, 5, 4, 2), (2, 2, 33, 1))),
    *(case(packings.depthwise(taps, c), taps, 1, c) for taps, c in ((9, 1), (9, 13), (1, 16))),
    *(Case(shape, Packing("raw", int(np.prod(shape))))
      for shape in ((1, 1), (45, 3), (7, 33), (2, 33, 16))),
]
WINOGRAD = [case(packings.winograd(kh, kw, c, o), kh, kw, c, o) for kh, kw, c, o in
            ((3, 3, 1, 1), (3, 3, 3, 5), (2, 2, 5, 8), (3, 3, 4, 17), (2, 3, 3, 4), (3, 2, 2, 9))]
DOT = [case(packings.dot(kind, taps, c, n), taps, c, n) for kind in ("u8", "i16")
       for taps, c, n in ((1, 1, 1), (9, 3, 5), (1, 8, 13), (4, 6, 8))]


def name(case: Case) -> str:
    return f"{case.packing.kind}-{'x'.join(map(str, case.shape))}"


def plan_of(case: Case) -> LinearPlan:
    """A heap of nothing but this constant, as `plan_linear` would lay it out."""
    weight = Weight("w", case.packing, ALIGN)
    staging = round_up(ALIGN + case.packing.elements + SLACK, ALIGN)
    elements = round_up(staging + staged(case.shape, case.packing) + SLACK, ALIGN)
    return LinearPlan("wasm", (), (weight,), (), (), staging, elements)


def about(plan: LinearPlan) -> Linear:
    return describe(plan, Graph((), (), (), {}, {}))


@cache
def module(case: Case) -> bytes:
    return emit_module(plan_of(case), "simd128").code


@cache
def stored(case: Case, encoding: str) -> Stored:
    random = np.random.default_rng(len(case.shape))
    array = random.normal(0, SCALE, case.shape).astype(np.float32)
    if case.packing.kind.startswith("dot_"):
        array = random.integers(-127, 128, case.shape).astype(np.float32)
    return Stored("w", case.shape, *encode(array, encoding))


def values(t: Stored) -> np.ndarray:
    return decode(t.shape, t.encoding, t.values, t.scales)


def slot_after(case: Case, t: Stored) -> np.ndarray:
    """The weight's words once the constant is placed; what is nobody's is as it was."""
    plan = plan_of(case)
    program = WasmProgram(module(case), about(plan), {})
    program.heap[:] = GUARD
    program.place_stored(t)
    end = ALIGN + case.packing.elements
    assert (program.heap[:ALIGN] == GUARD).all()
    assert (program.heap[end + SLACK : plan.staging] == GUARD).all()
    assert (program.heap[plan.elements :] == GUARD).all()
    return program.heap[ALIGN:end].view(np.uint32).copy()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("case", FLOAT, ids=name)
def test_every_encoding_in_every_layout(case: Case, encoding: str) -> None:
    t = stored(case, encoding)
    want, known = REFERENCES[case.packing.kind](values(t), *case.packing.args)
    assert np.array_equal(slot_after(case, t)[known], want[known])


@pytest.mark.parametrize("case", DOT, ids=name)
def test_whole_numbers_are_packed_as_they_are_stored(case: Case) -> None:
    t = stored(case, "int8")
    want, known = REFERENCES[case.packing.kind](values(t), *case.packing.args)
    assert np.array_equal(slot_after(case, t)[known], want[known])


@pytest.mark.parametrize("case", WINOGRAD, ids=name)
def test_winograd_s_filters(case: Case) -> None:
    c, o = case.packing.args
    g = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
    down, across = (g[:, :taps] for taps in case.shape[:2])
    weights = values(stored(case, "f32")).astype(np.float64)
    exact = np.einsum("ia,jb,abco->ijco", down, across, weights)
    got = slot_after(case, stored(case, "f32"))
    want, known = blocked(exact.reshape(36, c, o).astype(np.float32))
    # Two passes of three products with factors of at most 1; 4 roundings in each, one at the end.
    np.testing.assert_allclose(got[known].view(np.float32), want[known].view(np.float32), rtol=0,
                               atol=9 * EPSILON * np.abs(values(stored(case, "f32"))).max() * 9)
    for encoding in ENCODINGS[1:]:
        t = stored(case, encoding)
        plain = Stored("w", t.shape, *encode(values(t), "f32"))
        assert np.array_equal(slot_after(case, t)[known], slot_after(case, plain)[known])


def test_every_half() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).reshape(4, -1)
    bits = halves.astype(np.uint32)
    special = (bits & 0x8000) << 16 | 0x7F800000 | (bits & 0x3FF) << 13
    want = np.where(bits & 0x7C00 == 0x7C00, special,
                    halves.view(np.float16).astype(np.float32).view(np.uint32))
    raw = Case(halves.shape, Packing("raw", halves.size))
    got = slot_after(raw, Stored("w", halves.shape, "f16", halves.tobytes()))
    assert np.array_equal(got, want.ravel())


def test_a_page_places_the_same_bits(tmp_path: Path) -> None:
    """runtime/targets/wasm/place.js in Node, all of the above."""
    todo = [(c, e) for c in (*FLOAT, *WINOGRAD) for e in ENCODINGS] + [(c, "int8") for c in DOT]
    (tmp_path / "jobs.json").write_text(json.dumps([job(c, stored(c, e)) for c, e in todo]))
    (tmp_path / "run.mjs").write_text(f"""
        import {{ readFileSync, writeFileSync }} from "node:fs";
        import {{ placer }} from {json.dumps((RUNTIME / "targets/wasm/place.js").as_uri())};
        const bytes = (text) => text && new Uint8Array(Buffer.from(text, "base64"));
        const heaps = [];
        const jobs = JSON.parse(readFileSync("jobs.json"));
        for (const {{ code, pages, about, from, to, ...t }} of jobs) {{
          const memory = new WebAssembly.Memory({{ initial: pages, maximum: pages }});
          const imports = {{ "": {{ memory, barrier() {{}} }} }};
          const {{ instance }} = await WebAssembly.instantiate(bytes(code), imports);
          const stored = {{ ...t, bytes: bytes(t.bytes), scale: bytes(t.scale), group: {GROUP} }};
          placer(about, instance.exports, memory)({{ name: "w", stored }});
          heaps.push(new Uint8Array(memory.buffer).slice(from, to));
        }}
        writeFileSync("out", Buffer.concat(heaps));
    """)
    subprocess.run([find_node(), "run.mjs"], cwd=tmp_path, check=True, timeout=60)
    got = np.frombuffer((tmp_path / "out").read_bytes(), np.uint32)
    ends = np.cumsum([c.packing.elements for c, _ in todo])
    for (c, e), words in zip(todo, np.split(got, ends[:-1]), strict=True):
        assert np.array_equal(words[known(c)], slot_after(c, stored(c, e))[known(c)]), (name(c), e)


def known(case: Case) -> np.ndarray:
    """Which of the weight's words are defined."""
    if case.packing.kind.startswith("winograd"):
        c, o = case.packing.args
        return blocked(np.zeros((36, c, o), np.float32))[1]
    return REFERENCES[case.packing.kind](np.zeros(case.shape, np.float32), *case.packing.args)[1]


def job(case: Case, t: Stored) -> dict:
    plan = plan_of(case)
    return {
        "code": text(module(case)), "pages": round_up(4 * plan.elements + 64, 1 << 16) >> 16,
        "about": to_json(about(plan)), "from": 4 * ALIGN, "to": 4 * (ALIGN + case.packing.elements),
        "encoding": t.encoding, "shape": list(t.shape), "bytes": text(t.values),
        **({"scale": text(t.scales)} if t.scales else {}),
    }


def text(content: bytes | memoryview) -> str:
    return base64.b64encode(content).decode()
