"""Runs the published WebAssembly file in wasmtime, without a browser."""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import wasmtime

from ..emit.layout import SLACK
from ..files import read_file
from ..pack.targets import Linear, WasmTarget, WeightPlace
from ..pack.weights import Weights
from ..weights.encodings import ENCODINGS, GROUP, PLAIN, Bytes
from ..weights.shards import Stored, stream_stored, stream_weights

ALONE = (0, 1, 0)  # arguments of `run`: thread 0 of 1, without memory of its own


class WasmProgram:
    """One build of a model, loaded. `code`: its module. `about`: the manifest's facts on the build.
    `weights`: constant name -> f32 array to place in the heap."""

    def __init__(self, code: bytes, about: Linear, weights: Mapping[str, np.ndarray]) -> None:
        self.about = about
        self.store, self.exports, self.heap = _instance(code, lambda threads: None)
        self.bytes = self.heap.view(np.int8)
        self.place(weights)

    def place(self, weights: Mapping[str, np.ndarray]) -> None:
        """Packs these constants into the heap. A product of whole numbers takes i8 arrays, all
        others f32. Constants that are not among `weights` stay as they are."""
        for slot in self.about.weights:
            if slot.tensor in weights:
                self._place(slot, weights[slot.tensor])

    def _place(self, slot: WeightPlace, array: np.ndarray) -> None:
        if slot.pack == "raw":
            self._write(slot.offset, array)
            return
        staging = self.about.staging
        if slot.pack.startswith("dot_"):
            self.bytes[4 * staging : 4 * staging + array.size] = array.ravel()
        else:
            self._write(staging, array)
        packer = self.exports[f"pack_{slot.pack}"]
        packer(self.store, 4 * staging, 4 * slot.offset, *slot.args)

    def place_stored(self, t: Stored) -> None:
        """Packs a constant from its stored encoding into the heap, as
        runtime/targets/wasm/place.js does."""
        for slot in self.about.weights:
            if slot.tensor != t.name:
                continue
            pack, args, target = slot.pack, slot.args, 4 * slot.offset
            source = self._place_scales(t)
            if pack.startswith("dot_"):
                self._copy(source, t.values)
                self._call(f"pack_{pack}", source, target, *args)
            elif f"pack_{pack}_{t.encoding}" in self.exports:
                self._copy(source, t.values)
                self._call(f"pack_{pack}_{t.encoding}", source, target, *args, self._scales)
            elif pack == "raw":
                self._decode(t, target)
            else:
                self._decode(t, source)
                self._call(f"pack_{pack}", source, target, *args)

    def _place_scales(self, t: Stored) -> int:
        """Writes the scales, as f32, to the start of the staging area; returns the byte address
        behind them."""
        if not t.scales:
            return self._scales
        kind = ENCODINGS[t.encoding].scales or PLAIN
        count = 8 * len(t.scales) // ENCODINGS[kind].bits
        self._decode(Stored(t.name, (count,), kind, t.scales), self._scales)
        return self._scales + 4 * count

    def _decode(self, t: Stored, target: int) -> None:
        if t.encoding == PLAIN:
            self._copy(target, t.values)
            return
        source = target + 4 * (prod(t.shape) + SLACK) - len(t.values)
        self._copy(source, t.values)
        rows, columns = prod(t.shape[:-1]), t.shape[-1]
        self._call(f"decode_{t.encoding}", source, target, rows, columns, self._scales, GROUP)

    @property
    def _scales(self) -> int:
        """The byte address of the staging area, where the scales go."""
        return 4 * self.about.staging

    def _copy(self, address: int, content: Bytes) -> None:
        self.bytes[address : address + len(content)] = np.frombuffer(content, np.int8)

    def _call(self, name: str, *args: int) -> None:
        self.exports[name](self.store, *args)

    def _write(self, offset: int, array: np.ndarray) -> None:
        self.heap[offset : offset + array.size] = np.asarray(array, np.float32).ravel()

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs as flat f32 arrays, in the model's order."""
        for place, array in zip(self.about.inputs, inputs, strict=True):
            self._write(place.offset, array)
        self.exports["run"](self.store, *ALONE)
        return [self.heap[p.offset : p.offset + p.length].copy() for p in self.about.outputs]


class TracedProgram:
    """A module that marks the heap elements it touches, run on a heap of zeros. The marks begin at
    byte `marks` of its memory; programs/wasm/trace.py explains them. `heap`: its f32 elements."""

    def __init__(self, code: bytes, marks: int) -> None:
        self.waited = False
        self.store, self.exports, memory = _instance(code, self._wait)
        self.heap, self.marks = memory[: marks // 4], memory.view(np.uint32)[marks // 4 :]

    def phase(self, index: int, part: int, parts: int, spans: Sequence[tuple[int, int]]
              ) -> list[np.ndarray | None] | None:
        """Runs thread `part`'s share of phase `index`. Returns, for each span (first, last + 1) of
        heap elements, the marks as u32[elements], or None if there are none. Returns None for all
        if the thread would have waited for others."""
        self.waited = False
        self.exports["phase"](self.store, index, part, parts, 0)
        found: list[np.ndarray | None] = []
        for lo, hi in spans:
            words = self.marks[lo:hi]
            found.append(words.copy() if words.max(initial=0) else None)
            words.fill(0)
        return None if self.waited else found

    def forget(self, start: int) -> None:
        """Clears all marks from heap element `start` on; kernels touch a few elements beyond a
        tensor's end."""
        self.marks[start:].fill(0)

    def _wait(self, parts: int) -> None:
        self.waited = True


def _instance(code: bytes, barrier: Callable[[int], None]
              ) -> tuple[wasmtime.Store, Mapping[str, Any], np.ndarray]:
    """(store, exports, memory as f32) of an instance of the module. `barrier` gets the number of
    threads."""
    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    config.wasm_relaxed_simd_deterministic = True  # fused on every machine
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, code)
    memory_type = module.imports[0].type
    assert isinstance(memory_type, wasmtime.MemoryType), "the memory is the first import"
    pages = memory_type.limits.min
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(pages, pages)))
    wait = wasmtime.Func(store, wasmtime.FuncType([wasmtime.ValType.i32()], []), barrier)
    imports = [memory, wait][: len(module.imports)]
    exports = wasmtime.Instance(store, module, imports).exports(store)
    start = ctypes.addressof(memory.data_ptr(store).contents)
    raw = (ctypes.c_ubyte * memory.data_len(store)).from_address(start)
    return store, exports, np.ctypeslib.as_array(raw).view(np.float32)


def open_program(wasm: WasmTarget, weights: Weights, folder: Path, build: str) -> WasmProgram:
    """The published `build`, with the published weights in its heap. Weights are read one at a
    time, so memory holds only one of them beside the heap.

    Raises:
        PackError: a file is missing, or its content is not the manifest's.
    """
    about = wasm.program(build)
    program = WasmProgram(read_file(wasm.files[build], folder), about, {})
    if "decode_int8" in program.exports:
        for tensor in stream_stored(weights, folder):
            program.place_stored(tensor)
        return program
    # Older packs have programs that do not decode constants.
    steps = {slot.tensor for slot in about.weights if slot.pack.startswith("dot_")}
    for name, array in stream_weights(weights, folder, steps):
        program.place({name: array})
    return program
