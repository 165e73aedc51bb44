"""HOW operators run: one folder per kernel, all targets side by side.

A folder holds `__init__.py` (the contract: what it computes, and `needs` for the planner),
`wasm.py` (emitter), `js.py` + `kernel.js`, `wgsl.py` + `shader.wgsl`. KERNELS is the whole list.
"""

from types import ModuleType

from . import (
    argmax,
    conv2d,
    copy,
    fill_halo,
    gather,
    matmul,
    normalize,
    pointwise,
    pool2d,
    reduce,
    resize2d,
    softmax,
    window_sum,
)

KERNELS: dict[str, ModuleType] = {
    "argmax": argmax,
    "concat": copy,
    "conv2d": conv2d,
    "conv2d_chain": conv2d,
    "copy": copy,
    "expand": copy,
    "fill_halo": fill_halo,
    "gather": gather,
    "interleave": copy,
    "matmul": matmul,
    "normalize": normalize,
    "pad": copy,
    "pointwise": pointwise,
    "pool2d": pool2d,
    "reduce": reduce,
    "resize2d": resize2d,
    "slice": copy,
    "softmax": softmax,
    "transpose": copy,
    "upsample_zero": copy,
    "window_sum": window_sum,
}
