"""Graphs run on the WebGPU target in Chromium (SwiftShader), against the float64 reference."""

import json
from typing import Any

import numpy as np
from graphs import Draw, sample_inputs
from onnxpress.browser import Answer, Browser
from onnxpress.emit.webgpu import build
from onnxpress.emit.wgsl_device import DISCRETE, Device
from onnxpress.graph import Graph
from onnxpress.interpret import interpret
from onnxpress.ops import OPS, bound

EPSILON = float(np.finfo(np.float32).eps)

# The body is the program's bytes, then every weight, then every input, all little-endian f32.
OPEN = """
import { open, probe } from "/runtime/backends/webgpu.js";
function unpack({ steps, inputs: sizes, size, lengths }, body) {
  const data = new Float32Array(body, size);
  let at = 0;
  const take = (length) => data.subarray(at, at += length);
  const tensors = Object.entries(lengths).map(([name, n]) => ({ name, data: take(n) }));
  async function* weights() { yield* tensors; }
  const inputs = sizes.map(take);
  const about = { steps, files: { program: {} } };
  const model = (given = weights(), program = body.slice(0, size)) =>
    open(about, async () => program, given, { build: "program" });
  return { model, inputs };
}
"""

RUN = OPEN + """
export const run = async (args, body) => {
  const { model, inputs } = unpack(args, body);
  const opened = await model();
  const outputs = await opened.run(inputs);
  const again = await opened.run(inputs);
  opened.dispose();
  const same = outputs.every((out, i) => out.every((v, j) => Object.is(v, again[i][j])));
  return { value: { same }, body: outputs };
};
"""


def program_of(graph: Graph, device: Device = DISCRETE) -> dict[str, Any]:
    return json.loads(build(graph, (device,)).files[device.name][0])


def package(graph: Graph, program: dict[str, Any], feeds: dict[str, np.ndarray]
            ) -> tuple[dict[str, Any], bytes]:
    """The arguments and the body of a job that opens `program`."""
    code = json.dumps(program).encode()
    code += b" " * (-len(code) % 4)
    used = {w["tensor"] for w in program["weights"]}
    tensors = {n: a for n, a in graph.constants.items() if n in used}
    inputs = [feeds[n] for n in graph.inputs]
    body = code + b"".join(np.asarray(p, "<f4").tobytes() for p in (*tensors.values(), *inputs))
    return ({"steps": build(graph, ()).about["steps"], "size": len(code),
             "inputs": [a.size for a in inputs],
             "lengths": {n: a.size for n, a in tensors.items()}}, body)


def run_graph(browser: Browser, graph: Graph, feeds: dict[str, np.ndarray],
              device: Device = DISCRETE) -> Answer:
    answer = browser.run(RUN, *package(graph, program_of(graph, device), feeds))
    assert answer.errors == []
    assert answer.value["same"]
    return answer


def check(browser: Browser, draw: Draw, *outputs: str,
          feeds: dict[str, np.ndarray] | None = None, device: Device = DISCRETE) -> None:
    """The graph's outputs on WebGPU agree with the reference within the operators' `ulps`."""
    graph = draw.graph(*outputs)
    feeds = feeds or sample_inputs(graph)
    feeds = {n: np.asarray(a, np.float32) for n, a in feeds.items()}
    want = interpret(graph, feeds)
    answer = run_graph(browser, graph, feeds, device)
    got = np.frombuffer(answer.body, "<f4")
    ulps = sum(OPS[n.op].ulps(bound(n, graph), [graph.shape(i) for i in n.inputs])
               for n in graph.nodes)
    at = 0
    for name in outputs:
        size = want[name].size
        part = got[at : at + size].reshape(want[name].shape)
        at += size
        peak = max(1.0, float(np.abs(want[name]).max(initial=0)))
        np.testing.assert_allclose(part, want[name], rtol=0, atol=(ulps + 1) * EPSILON * peak)
    assert at == got.size
