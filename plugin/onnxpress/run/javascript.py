"""Runs a pack's JavaScript program in V8, embedded by mini-racer, without a browser or Node."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from py_mini_racer import JSEvalException, MiniRacer

from ..errors import PackError
from ..files import read_file
from ..pack.targets import JsTarget, Linear
from ..pack.weights import Weights
from ..weights.shards import stream_weights

SECONDS = 600.0  # the most that one call may take
EXPORT = re.compile(r"^export (?=(?:const|function) (\w+))", re.M)


class JsProgram:
    """The module, loaded. `code`: its text. `about`: the manifest's facts on it. `weights`:
    constant name -> f32 array to place in the heap.

    Raises:
        PackError: the module does not load.
    """

    def __init__(self, code: bytes, about: Linear, weights: Mapping[str, np.ndarray]) -> None:
        self.about, self.engine = about, MiniRacer()
        self._eval(_script(code.decode()))
        view = self._eval(f"globalThis.heap = new Float32Array({about.elements})")
        assert isinstance(view, memoryview), "mini-racer gives typed arrays as their memory"
        self.heap = np.frombuffer(view, np.float32)
        self.place(weights)

    def place(self, weights: Mapping[str, np.ndarray]) -> None:
        """Packs these constants into the heap, as runtime/targets/js.js does."""
        for slot in self.about.weights:
            if slot.tensor not in weights:
                continue
            raw, values = slot.pack == "raw", np.ravel(weights[slot.tensor])
            start = slot.offset if raw else self.about.staging
            self.heap[start : start + values.size] = values
            if not raw:
                args = ", ".join(map(str, (self.about.staging, slot.offset, *slot.args)))
                self._eval(f"program.pack_{slot.pack}(heap, {args}); 0")

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs as flat f32 arrays, in the model's order.

        Raises:
            PackError: the program throws, or it takes more than SECONDS.
        """
        for place, array in zip(self.about.inputs, inputs, strict=True):
            self.heap[place.offset : place.offset + place.length] = np.ravel(array)
        self._eval("program.run(heap); 0")
        return [self.heap[p.offset : p.offset + p.length].copy() for p in self.about.outputs]

    def _eval(self, script: str) -> object:
        try:
            return self.engine.eval(script, timeout_sec=SECONDS)
        except JSEvalException as error:
            reason = " ".join(str(error).split())[:160]
            raise PackError(f"the JavaScript program fails: {reason}") from None


def _script(module: str) -> str:
    """The module as a script that leaves its exports in `program`; the engine imports no modules.
    Strict code in a function of its own means what it means in a module."""
    names = ", ".join(EXPORT.findall(module))
    return (f'globalThis.program = (() => {{ "use strict";\n{EXPORT.sub("", module)}\n'
            f"return {{ {names} }}; }})(); 0")


def open_js(js: JsTarget, weights: Weights, folder: Path) -> JsProgram:
    """The published program, with the published weights in its heap; weights are read one at a
    time.

    Raises:
        PackError: a file is missing, its content is not the manifest's, or it does not load.
    """
    program = JsProgram(read_file(js.files["module"], folder), js, {})
    for name, array in stream_weights(weights, folder):
        program.place({name: array})
    return program
