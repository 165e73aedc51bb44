"""Runs random models on the targets and compares them with what onnxruntime computes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from onnxpress.errors import UnsupportedError
from onnxpress.graph.graph import Graph
from onnxpress.importer.model import import_model
from onnxpress.ops.interpret import interpret
from onnxpress.passes import run_passes
from onnxpress.programs.wasm.build import build
from onnxpress.run.browser import Browser
from onnxpress.run.wasmtime import WasmProgram
from support.conditioning import room
from support.node import run_in_node
from support.random_operators import sketch
from support.webgpu_jobs import run_graph


@dataclass(frozen=True)
class Drawn:
    """A random model, its graph as imported, its inputs as f32 and its outputs."""

    seed: int
    model: onnx.ModelProto
    imported: Graph
    feeds: Mapping[str, np.ndarray]
    wanted: Mapping[str, np.ndarray]

    @cached_property
    def graph(self) -> Graph:
        return run_passes(self.imported, lambda where, why: None)

    @cached_property
    def room(self) -> dict[str, float]:
        return room(self.imported, self.feeds)

    def check(self, outputs: Sequence[np.ndarray], where: str) -> None:
        """Raises an AssertionError with the model's text unless all outputs are right."""
        about = f"seed {self.seed} on {where}:\n{onnx.printer.to_text(self.model)}"
        for name, got in zip(self.graph.outputs, outputs, strict=True):
            want = self.wanted[name]
            got = np.asarray(got, np.float64)
            assert got.size == want.size, about
            np.testing.assert_allclose(got.reshape(want.shape), want.astype(np.float64), rtol=0,
                                       atol=self.room[name], err_msg=about)


def drawn(seeds: Iterable[int]) -> list[Drawn]:
    """The models of these seeds, without the ones that the importer refuses."""
    found = []
    for seed in seeds:
        model, inputs, wanted = sketch(seed).model()
        feeds = {n: a.astype(np.float32) for n, a in inputs.items()}
        try:
            found.append(Drawn(seed, model, import_model(model), feeds, wanted))
        except UnsupportedError:
            continue
    return found


def run_here(models: Sequence[Drawn], folder: Path) -> None:
    """Checks the float64 graph, both WebAssembly builds and the JavaScript program in Node."""
    for each in models:
        each.check(list(interpret(each.graph, each.feeds).values()), "the float64 graph")
        built = build(each.graph)
        for name, (code, *_) in built.files.items():
            program = WasmProgram(code, built.about, each.graph.constants)
            for _ in range(2):  # the second run finds the first one's remains
                outputs = program.run([each.feeds[n] for n in each.graph.inputs])
            each.check(outputs, f"WebAssembly {name}")
    named = {f"m{each.seed}": each for each in models}
    results = run_in_node(folder, {n: each.graph for n, each in named.items()},
                          {n: each.feeds for n, each in named.items()})
    for name, each in named.items():
        each.check(results[name], "JavaScript")


def run_in(browser: Browser, models: Sequence[Drawn]) -> None:
    """Checks the WebGPU programs."""
    for each in models:
        flat = np.frombuffer(run_graph(browser, each.graph, dict(each.feeds)).body, "<f4")
        sizes = [int(np.prod(each.graph.shape(n))) for n in each.graph.outputs]
        each.check(np.split(flat, np.cumsum(sizes)[:-1]), "WebGPU")
