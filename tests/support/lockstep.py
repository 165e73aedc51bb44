"""A WebAssembly program on several threads, each with a memory of its own that is put together with
the others' at every barrier. So a thread sees what the others wrote before the last barrier and
nothing since: where a barrier is missing, the result is wrong on every run, not now and then.
"""

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from threading import Barrier, Thread

import numpy as np
import wasmtime
from onnxpress.emit.wasm.asm import PAGE

SECONDS = 60  # that a thread waits for the others


class Race(AssertionError):
    """Two threads wrote different values to the same place between two barriers."""


class Lockstep:
    """`parts` threads of the module `code`, whose memories begin with `heap` and go on, where there
    are several, with `own` bytes for each."""

    def __init__(self, engine: wasmtime.Engine, code: bytes, heap: np.ndarray, parts: int,
                 own: int = 0) -> None:
        module = wasmtime.Module(engine, code)
        least = module.imports[0].type.limits.min
        pages = least + -(-own * parts // PAGE)
        self.parts, self.errors = parts, []
        self.mine = [least * PAGE + own * i if parts > 1 else 0 for i in range(parts)]
        self.barrier = Barrier(parts, self._merge, SECONDS)
        self.stores, self.exports, self.heaps = [], [], []
        for _ in range(parts):
            store = wasmtime.Store(engine)
            memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(pages, pages)))
            wait = wasmtime.Func(store, wasmtime.FuncType([wasmtime.ValType.i32()], []), self._wait)
            instance = wasmtime.Instance(store, module, [memory, wait])
            start = ctypes.addressof(memory.data_ptr(store).contents)
            raw = (ctypes.c_ubyte * memory.data_len(store)).from_address(start)
            content = np.frombuffer(raw, np.int8)
            content[: heap.nbytes] = heap.view(np.int8)
            self.stores.append(store)
            self.exports.append(instance.exports(store))
            self.heaps.append(content)
        self.common = self.heaps[0].copy()

    def run(self, name: str, args: Sequence[int] = ()) -> np.ndarray:
        """All threads call the export, once; what they made of the heap."""
        threads = [Thread(target=self._call, args=(name, args, i)) for i in range(self.parts)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with suppress(Race):
            if not self.errors:
                self._merge()
        self.heaps.clear()
        for store in self.stores:  # each has 8 GB of addresses, and cycles would keep it
            store.close()
        if self.errors:
            raise self.errors[0]
        return self.common.view(np.float32)

    def _call(self, name: str, args: Sequence[int], part: int) -> None:
        try:
            self.exports[part][name](self.stores[part], *args, part, self.parts, self.mine[part])
        except Exception as error:
            self.errors.append(error)
            self.barrier.abort()

    def _wait(self, parts: int) -> None:
        assert parts == self.parts
        self.barrier.wait()

    def _merge(self) -> None:
        before, merged = self.common.copy(), self.common
        written = np.zeros(before.shape, bool)
        for heap in self.heaps:
            changed = heap != before
            twice = np.flatnonzero(changed & written & (heap != merged))
            if twice.size:
                self.errors.append(Race(f"{twice.size} bytes, the first at {twice[0]}"))
                raise self.errors[0]
            merged[changed] = heap[changed]
            written |= changed
        for heap in self.heaps:
            heap[:] = merged
