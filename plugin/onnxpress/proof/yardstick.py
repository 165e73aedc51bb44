"""What a model must give: by onnxruntime, or else by ONNX's own reference, or else by the graph.

onnxruntime cannot run every valid model, and of some outputs it computes another size than ONNX's
formula. Then onnx.reference decides. Where that cannot run the model either, or where it would take
minutes, only the graph in float64 is left. The manifest says which yardstick it was.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from ..errors import ProofError
from ..graph.graph import Graph
from ..model.reference import reference_run
from ..ops.interpret import interpret
from ..pack.proof import YardstickName

Feeds = Mapping[str, np.ndarray]
Outputs = Sequence[np.ndarray]

REFERENCE_WORK = 2e7  # operations; onnx.reference computes some operators element by element
# Operators that onnx.reference computes wrongly: LRN adds up the first five channels alone.
WRONG_THERE = {"LRN"}
REASON = 120  # characters of another program's message that are passed on
TYPES = {"f32": "float32", "f64": "float64", "f16": "float16", "bool": "bool", "i8": "int8",
         "u8": "uint8", "i16": "int16", "u16": "uint16", "i32": "int32", "u32": "uint32",
         "i64": "int64", "u64": "uint64"}


class Reference:
    """onnxruntime on the original model. `arrays` are weights that the model names and does not
    hold. `whole`: with all of its optimizations."""

    def __init__(self, model_bytes: bytes, arrays: Mapping[str, np.ndarray] | None = None,
                 whole: bool = False) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        levels = onnxruntime.GraphOptimizationLevel
        # Without VNNI, onnxruntime's kernels of whole numbers let sums of u8 * s8 saturate at i16.
        # Further optimizations put these kernels in place of QDQ, or fail where sums must be exact.
        options.graph_optimization_level = (levels.ORT_ENABLE_ALL if whole
                                            else levels.ORT_ENABLE_BASIC)
        options.add_session_config_entry("session.x64quantprecision", "1")
        # Idle threads that spin would take the processor from other builds.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.arrays = {n: onnxruntime.OrtValue.ortvalue_from_numpy(a)
                       for n, a in (arrays or {}).items()}
        if arrays:
            options.add_external_initializers(list(self.arrays), list(self.arrays.values()))
            # Packed copies would double the memory of large weights.
            options.add_session_config_entry("session.disable_prepacking", "1")
        self.session = onnxruntime.InferenceSession(model_bytes, options,
                                                    providers=["CPUExecutionProvider"])
        self.types = {i.name: i.type for i in self.session.get_inputs()}

    def run(self, feeds: Feeds, names: Sequence[str] | None = None) -> list[np.ndarray]:
        """Outputs in the model's order and layout, or those in `names`."""
        cast = {name: np.asarray(array).astype(_dtype(self.types[name]))
                for name, array in feeds.items()}
        return [np.asarray(output) for output in self.session.run(names, cast)]


def _dtype(kind: str) -> np.dtype:
    name = kind.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


@dataclass(frozen=True)
class Yardstick:
    """`run(feeds)` gives the outputs, in the model's order and layout, and raises ProofError where
    it cannot run them. `again(feeds)` gives them computed in another way, or None."""

    name: YardstickName
    run: Callable[[Feeds], Outputs]
    again: Callable[[Feeds], Outputs | None] = lambda feeds: None


def yardsticks(model: Any, arrays: Mapping[str, np.ndarray], graph: Graph, flops: int
               ) -> Iterator[Yardstick]:
    """The yardsticks of `model`, the best one first. `graph` is what it was lowered to, with
    `flops` operations. A yardstick that cannot be opened is left out; the last one always runs."""
    try:
        content = model.SerializeToString()
        plain = Reference(content, arrays)
    except Exception:  # onnxruntime's exceptions share no class of their own
        pass
    else:
        yield Yardstick("onnxruntime", _guarded("onnxruntime", plain.run, graph),
                        _twin(content, arrays, graph))
    known = WRONG_THERE.isdisjoint(node.op_type for node in model.graph.node)
    if known and flops <= REFERENCE_WORK and not arrays:
        try:
            run = reference_run(model)
        except Exception:  # nor do the exceptions of onnx.reference
            pass
        else:
            yield Yardstick("onnx.reference", _guarded(
                "onnx.reference", lambda feeds: run(_typed(feeds, graph)), graph))
    yield Yardstick("graph", lambda feeds: list(interpret(graph, feeds).values()))


def _typed(feeds: Feeds, graph: Graph) -> dict[str, np.ndarray]:
    return {name: np.asarray(array).astype(TYPES[graph.values[name].dtype])
            for name, array in feeds.items()}


def _twin(content: bytes, arrays: Mapping[str, np.ndarray], graph: Graph
          ) -> Callable[[Feeds], Outputs | None]:
    """onnxruntime with all of its optimizations; it is opened when it is first asked."""
    opened: list[Callable[[Feeds], Outputs]] = []

    def again(feeds: Feeds) -> Outputs | None:
        try:
            if not opened:
                opened.append(_guarded("onnxruntime", Reference(content, arrays, True).run, graph))
            return opened[0](feeds)
        except Exception:  # it fails where sums must be exact, for one
            return None

    return again


def _guarded(name: str, run: Callable[[Feeds], Sequence[Any]], graph: Graph
             ) -> Callable[[Feeds], Outputs]:
    """`run`, whose exceptions become ProofError, as do outputs of another size than the graph's."""
    sizes = {n: int(np.prod(graph.shape(n))) for n in graph.outputs}

    def guarded(feeds: Feeds) -> Outputs:
        try:
            with np.errstate(all="ignore"):
                outputs = [np.asarray(output) for output in run(feeds)]
        except Exception as error:
            reason = " ".join(str(error).split())[:REASON]
            raise ProofError(f"{name} cannot run the model: {reason}") from None
        for (output, size), found in zip(sizes.items(), outputs, strict=True):
            if found.size != size:
                raise ProofError(f'{name} computes {found.size} elements of the output "{output}"; '
                                 f"ONNX's formula gives {size}")
        return outputs

    return guarded
