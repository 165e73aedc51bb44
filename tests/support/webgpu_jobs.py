"""Graphs run on the WebGPU target in Chromium (SwiftShader), against the float64 reference."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from onnxpress.emit.wgsl.device import DISCRETE, Device
from onnxpress.graph.graph import Graph
from onnxpress.ops import OPS, bound
from onnxpress.ops.interpret import interpret
from onnxpress.programs.webgpu.build import build
from onnxpress.run.browser import Browser, Reply
from onnxpress.weights.encodings import GROUP, encode, round_trip
from support.graphs import Draw, sample_inputs

EPSILON = float(np.finfo(np.float32).eps)

# The body is the program's bytes, then every weight and its scale, then every f32 input.
OPEN = """
import { open, probe } from "/runtime/targets/webgpu.js";
import { decode } from "/runtime/load/decode.js";
function unpack({ steps, inputs: sizes, size, tensors }, body) {
  let at = size;
  const take = (length) => new Uint8Array(body, (at += Math.ceil(length / 4) * 4) - length, length);
  const constants = tensors.map(({ name, encoding, shape, group, sizes: [values, scales] }) => {
    const stored = { encoding, shape, group, bytes: take(values), scale: take(scales) };
    const data = () => decode(encoding, stored.bytes, stored.scale, shape, group);
    return { name, stored, get data() { return data(); } };
  });
  async function* weights() { yield* constants; }
  const inputs = sizes.map((n) => new Float32Array(body, (at += 4 * n) - 4 * n, n));
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


def program_of(graph: Graph, device: Device = DISCRETE, encodings: Mapping[str, str] = {}
               ) -> dict[str, Any]:
    return json.loads(build(graph, (device,), encodings).files[device.name][0])


def package(graph: Graph, program: dict[str, Any], feeds: dict[str, np.ndarray],
            encodings: Mapping[str, str] = {}) -> tuple[dict[str, Any], bytes]:
    """The arguments and the body of a job that opens `program`."""
    code = json.dumps(program).encode()
    code += b" " * (-len(code) % 4)
    used = {w["tensor"] for w in program["weights"]}
    tensors, parts = [], [code]
    for name in filter(used.__contains__, graph.constants):
        array = graph.constants[name]
        encoding, values, scales = encode(array, encodings.get(name, "f32"))
        tensors.append({"name": name, "encoding": encoding, "shape": array.shape, "group": GROUP,
                        "sizes": [len(values), len(scales)]})
        parts += [bytes(-len(part) % 4) + bytes(part) for part in (values, scales)]
    inputs = [np.asarray(feeds[n], "<f4") for n in graph.inputs]
    parts += [array.tobytes() for array in inputs]
    return ({"steps": build(graph, ()).about.steps, "size": len(code), "tensors": tensors,
             "inputs": [a.size for a in inputs]}, b"".join(parts))


def run_graph(browser: Browser, graph: Graph, feeds: dict[str, np.ndarray],
              device: Device = DISCRETE, encodings: Mapping[str, str] = {}) -> Reply:
    program = program_of(graph, device, encodings)
    reply = browser.run(RUN, *package(graph, program, feeds, encodings))
    assert reply.errors == []
    assert reply.value["same"]
    return reply


def check(browser: Browser, draw: Draw, *outputs: str,
          feeds: dict[str, np.ndarray] | None = None, device: Device = DISCRETE,
          encoding: str = "f32") -> None:
    """The graph's outputs on WebGPU agree with the reference within the operators' `ulps`;
    matrices are stored in `encoding`."""
    graph = draw.graph(*outputs)
    encodings = {n: encoding if a.ndim > 1 else "f32" for n, a in graph.constants.items()}
    feeds = feeds or sample_inputs(graph)
    feeds = {n: np.asarray(a, np.float32) for n, a in feeds.items()}
    decoded = {n: round_trip(a, encodings[n]) for n, a in graph.constants.items()}
    want = interpret(replace(graph, constants=decoded), feeds)
    reply = run_graph(browser, graph, feeds, device, encodings)
    got = np.frombuffer(reply.body, "<f4")
    ulps = sum(OPS[n.op].ulps(bound(n, graph), [graph.shape(i) for i in n.inputs])
               for n in graph.nodes)
    at = 0
    for name in outputs:
        size = want[name].size
        part = got[at : at + size].reshape(want[name].shape)
        at += size
        peak = max(1.0, float(np.abs(want[name]).max(initial=0)))
        np.testing.assert_allclose(part, want[name], rtol=0, atol=(ulps + 1) * EPSILON * peak,
                                   err_msg=name)
    assert at == got.size
