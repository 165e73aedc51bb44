"""A pack made by hand: an 8x8 picture to three scores, small enough to read, quick to break.

scores[c] = mean of channel c * gain[c] + bias[c]; gain is stored as f16 across two shards, bias as
int8. The js target's module is below; `wasm` and `webgpu` packs come from the real compiler.
"""

import hashlib
import io
import json
from bisect import bisect_right
from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

import numpy as np
from PIL import Image

SIDE = 8
GAIN = np.array([2.0, -1.5, 0.25], np.float32)
BIAS = np.array([0.5, 1.0, -1.0], np.float32)
AREA = SIDE * SIDE

MODULE = f"""
// heap: gain 0, bias 4, input 8, output {8 + 3 * AREA}
export function run(H) {{
  for (let c = 0; c < 3; c++) {{
    let sum = 0;
    for (let i = 0; i < {AREA}; i++) sum += H[8 + c * {AREA} + i];
    H[{8 + 3 * AREA} + c] = (sum / {AREA}) * H[c] + H[4 + c];
  }}
}}
export function step(H) {{ run(H); }}
"""


def reference(picture: np.ndarray) -> np.ndarray:
    """f32[3] of f32[3,8,8]."""
    return picture.mean(axis=(1, 2)) * GAIN + BIAS


def draw(count: int) -> np.ndarray:
    """xorshift32 numbers in 0..1, as golden.js draws them."""
    state, out = 1, np.empty(count)
    for i in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        out[i] = (state >> 8) / 2**24
    return out


# (module (memory (export "memory") 1)
#   (func (export "run") (export "step") (export "decode_f16") (export "decode_int8"))): it computes
# nothing, so the golden check must refuse it.
IDLE_WASM = bytes([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 3, 1, 0, 1,
    7, 50, 5, 6, *b"memory", 2, 0, 3, *b"run", 0, 0, 4, *b"step", 0, 0, 10, *b"decode_f16", 0, 0,
    11, *b"decode_int8", 0, 0, 10, 4, 1, 2, 0, 11,
])

LABELS = ["red", "green", "blue"]


def tiny_demo() -> dict[str, Any]:
    """The manifest's demo: a classifier of three colours with two samples."""
    def top(*scores: float) -> dict[str, Any]:
        return {"kind": "classes", "top": [{"label": name, "score": score}
                                           for name, score in zip(LABELS, scores, strict=True)]}

    return {
        "title": "Colours", "labels": "labels.txt",
        "task": {"name": "image-classification", "output": "scores", "kind": "logits", "top": 2},
        "given": {"kind": "picture", "input": "picture", "size": [SIDE, SIDE], "resize": "cover",
                  "layout": "nchw"},
        "samples": [
            {"url": "red.png", "title": "A red square", "licence": "CC0",
             "result": top(0.6, 0.3, 0.1)},
            {"url": "blue.png", "title": "A blue square", "licence": "CC0"},
        ],
    }


PAINT = f"""
// heap: weights 0, picture 4, output {4 + 3 * AREA}: w0 * x + w1 * (1 - x) + w2 / 2
export function run(H) {{
  for (let i = 0; i < {3 * AREA}; i++) {{
    H[{4 + 3 * AREA} + i] = H[0] * H[4 + i] + H[1] * (1 - H[4 + i]) + H[2] / 2;
  }}
}}
export function step(H) {{ run(H); }}
"""


def paint_pack(**demo: Any) -> dict[str, bytes]:
    """A picture to a picture, by the weights of three styles: same, negative, grey."""
    files = tiny_pack()
    manifest = json.loads(files["manifest.json"])
    draws = draw(3 * AREA + 3)
    picture, weights = draws[:3 * AREA], draws[3 * AREA:]
    values = weights[0] * picture + weights[1] * (1 - picture) + weights[2] / 2
    files["paint.js"] = PAINT.encode()
    manifest["targets"]["js"] |= {
        "files": {"module": entry("paint.js", files["paint.js"])},
        "elements": 8 + 6 * AREA, "weights": [],
        "inputs": [{"name": "picture", "offset": 4, "length": 3 * AREA},
                   {"name": "style", "offset": 0, "length": 3}],
        "outputs": [{"name": "painted", "offset": 4 + 3 * AREA, "length": 3 * AREA}],
    }
    manifest["inputs"].append({"name": "style", "shape": [3], "dtype": "f32"})
    manifest["outputs"] = [{"name": "painted", "shape": [1, 3, SIDE, SIDE], "dtype": "f32"}]
    manifest["golden"] |= {"ranges": [[0, 1], [0, 1]], "outputs": [
        {"indices": [0, 7], "values": [values[0], values[7]], "peak": float(values.max())}]}
    style = {"kind": "blend", "input": "style", "label": "Style", "initial": 1,
             "options": [{"name": f"Style {name}"} for name in ("same", "negative", "grey")]}
    task = {"name": "image-to-image", "output": "painted", "layout": "nchw", "channels": "rgb",
            "range": [0, 1]}
    manifest["demo"] |= {"task": task, "controls": [style], **demo}
    del manifest["demo"]["samples"][0]["result"]
    files["manifest.json"] = json.dumps(manifest).encode()
    return files


def square(colour: str, size: tuple[int, int] = (16, 16), kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def entry(name: str, content: bytes) -> dict[str, Any]:
    """What the manifest says of a file."""
    return {"url": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def tiny_pack(
    cuts: Sequence[int] = (4,), module: str = MODULE, idle_wasm: bool = False, **changes: Any,
) -> dict[str, bytes]:
    """File name -> content, manifest.json among them. `cuts`: where in its 44 bytes one shard of
    the weights ends and the next begins; `changes` go over the manifest's fields."""
    files: dict[str, bytes] = {}

    def publish(name: str, content: bytes) -> dict[str, Any]:
        files[name] = content
        return entry(name, content)

    def place(position: int, length: int) -> dict[str, int]:
        shard = bisect_right(cuts, position)
        return {"shard": shard, "offset": position - (0, *cuts)[shard], "bytes": length}

    stream = GAIN.astype("<f2").tobytes()
    scale = np.full(3, 0.5, "<f4").tobytes()
    stream = stream.ljust(16, b"\0") + np.rint(BIAS / 0.5).astype(np.int8).tobytes()
    stream = stream.ljust(32, b"\0") + scale
    shards = [publish(f"weights-{letter}.bin", stream[start:end]) for letter, start, end
              in zip(ascii_lowercase, (0, *cuts), (*cuts, len(stream)), strict=False)]
    offsets = {"input": 8, "output": 8 + 3 * AREA}
    js = {
        "files": {"module": publish("module.js", module.encode())},
        "elements": 16 + 3 * AREA, "staging": 0,
        "weights": [{"tensor": "gain", "offset": 0, "pack": "raw", "args": []},
                    {"tensor": "bias", "offset": 4, "pack": "raw", "args": []}],
        "inputs": [{"name": "picture", "offset": offsets["input"], "length": 3 * AREA}],
        "outputs": [{"name": "scores", "offset": offsets["output"], "length": 3}],
        "steps": [["mean", 3 * AREA, 4 * (3 * AREA + 3)]],
    }
    values = reference(draw(3 * AREA).reshape(3, SIDE, SIDE))
    manifest = {
        "onnxpress": 1, "name": "tiny",
        "inputs": [{"name": "picture", "shape": [1, 3, SIDE, SIDE], "dtype": "f32"}],
        "outputs": [{"name": "scores", "shape": [1, 3], "dtype": "f32"}],
        "weights": {"bytes": len(stream), "shards": shards, "tensors": [
            {"name": "gain", "shape": [3], "encoding": "f16", **place(0, 6)},
            {"name": "bias", "shape": [3], "encoding": "int8", **place(16, 3),
             "scale": place(32, 12)},
        ]},
        "targets": {"js": js},
        "golden": {"seed": 1, "ranges": [[0, 1]], "metric": "peak", "tolerance": 1e-3, "outputs": [
            {"indices": [0, 1, 2], "values": values.tolist(), "peak": float(abs(values).max())}]},
        "proof": [], "notes": [], "demo": tiny_demo(),
    }
    files |= {"labels.txt": "\n".join(LABELS).encode(), "red.png": square("red"),
              "blue.png": square("blue")}
    if idle_wasm:
        manifest["targets"]["wasm"] = {
            **js, "pages": 1, "bytes_per_thread": 0, "threads": 1,
            "files": {"relaxed": publish("idle.wasm", IDLE_WASM)}}
    files["manifest.json"] = json.dumps({**manifest, **changes}).encode()
    return files
