"""Each idea has one registry; every other list of its names has the same ones."""

import json
import subprocess
from typing import Any

from onnxpress.compiler import BUILDERS
from onnxpress.emit.wasm.decode import DECODERS
from onnxpress.runtime import RUNTIME
from onnxpress.targets import TARGETS
from onnxpress.weights.encodings import ENCODINGS, PLAIN
from support.node import find_node


def in_browser(module: str, expression: str) -> Any:
    """The JSON value of `expression` over the exports `m` of a module of the runtime."""
    script = (f'const m = await import({json.dumps((RUNTIME / module).as_uri())});'
              f"console.log(JSON.stringify({expression}))")
    done = subprocess.run([find_node(), "--input-type=module", "-e", script], text=True,
                          capture_output=True, check=True)
    return json.loads(done.stdout)


def test_targets() -> None:
    """Every target has a builder, a module that opens it, a row in the browser, and a peak."""
    names = list(TARGETS)
    assert list(BUILDERS) == names
    assert {p.stem for p in (RUNTIME / "targets").glob("*.js")} == set(names)
    rows = in_browser("targets.js", "Object.entries(m.TARGETS).map(([k, v]) => [k, v.label])")
    assert rows == [[name, target.title] for name, target in TARGETS.items()]
    assert set(in_browser("bench/peak.js", "Object.keys(m.PEAKS)")) == set(names)


def test_encodings() -> None:
    """The browser decodes every encoding, and so do WebAssembly's programs, but for f32."""
    rows = in_browser("load/decode.js",
                      "Object.entries(m.ENCODINGS).map(([k, v]) => [k, v.bits, v.scales ?? null])")
    assert rows == [[e.name, e.bits, e.scales] for e in ENCODINGS.values()]
    assert set(DECODERS) == set(ENCODINGS) - {PLAIN}
