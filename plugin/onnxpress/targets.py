"""The targets, best first: one row for each way in which a program runs in a browser.

`programs/` builds a program for a target, `runtime/targets/` opens it, and `runtime/targets.js` has
the browser's rows under the same names.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Target:
    """`title`: the name that readers see. `builds`: the builds that rows of a proof name -> their
    titles. `separate`: browsers load its module only where the target is used; the module of a
    target that is not separate is part of the page's script."""

    name: str
    title: str
    builds: Mapping[str, str] = field(default_factory=dict)
    separate: bool = True


TARGETS: Mapping[str, Target] = {target.name: target for target in (
    Target("webgpu", "WebGPU", {"f16": "WebGPU, values rounded to f16"}),
    Target("wasm", "WebAssembly", {
        "relaxed": "WebAssembly, relaxed SIMD",
        "simd128": "WebAssembly, SIMD",
        "int8-relaxed": "WebAssembly, products of bytes",
        "int16-relaxed": "WebAssembly, products of 16 bits, relaxed SIMD",
        "int16-simd128": "WebAssembly, products of 16 bits, SIMD",
    }, separate=False),
    Target("js", "JavaScript", {"module": "JavaScript"}),
)}
