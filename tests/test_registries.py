"""Each idea has one registry; every other list of its names has the same ones."""

import json
import subprocess
from dataclasses import fields
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, get_args

from onnxpress import kinds, tasks
from onnxpress.compiler import BUILDERS
from onnxpress.emit.wasm.decode import DECODERS
from onnxpress.kinds import KINDS
from onnxpress.manifest import sense
from onnxpress.pack import targets as manifest_targets
from onnxpress.pack import weights as manifest_weights
from onnxpress.pack.shapes import Word, fields_of
from onnxpress.runtime import RUNTIME
from onnxpress.targets import TARGETS
from onnxpress.tasks import TASKS, segmentation
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


def test_tasks() -> None:
    """Every task is one Python file and one module of the browser, which take the same kind; the
    browser knows the keys that name files."""
    names = list(TASKS)
    assert modules(tasks) == {name.replace("-", "_") for name in names}
    assert {p.stem for p in (RUNTIME / "tasks").glob("*.js")} == set(names)
    rows = in_browser("tasks.js", "await Promise.all(Object.entries(m.TASKS).map(async ([k, load])"
                      " => { const t = await load(); return [k, t.kind.name, t.files ?? [],"
                      " typeof t.createView]; }))")
    assert rows == [[task.name, task.kind.name,
                     [key for key in task.files if key not in task.posters], "function"]
                    for task in TASKS.values()]
    assert [tag(task.options) for task in TASKS.values()] == [("name", name) for name in names]
    assert in_browser("tasks.js", "m.PLAIN") == tasks.PLAIN.task.name


def test_kinds() -> None:
    """Every kind is one Python file and one module of the browser; both name its options alike."""
    assert modules(kinds) == set(KINDS) == {p.stem for p in (RUNTIME / "kinds").glob("*.js")}
    for kind in KINDS.values():
        found = in_browser(f"kinds/{kind.name}.js", "[m.kind.name, !!m.kind.given]")
        assert found == [kind.name, kind.given is not None]
        if kind.given:
            for of in filter(None, (kind.given.described, kind.given.facts)):
                assert tag(of) == ("kind", kind.name)


def test_a_mask_is_drawn_alike() -> None:
    """Posters, drawn in Python, and the browser's view have the same colours and legend."""
    found = in_browser("tasks/segmentation.js", "[m.OPACITY, m.LEGEND, m.GOLDEN_ANGLE,"
                       " Array.from({ length: 300 }, (_, i) => m.colour(i))]")
    numbers = [segmentation.OPACITY, segmentation.LEGEND, segmentation.GOLDEN_ANGLE]
    assert found == [*numbers, [list(segmentation.class_colour(i)) for i in range(300)]]


def test_the_manifest_has_every_target() -> None:
    assert [field.name for field in fields(manifest_targets.Targets)] == list(TARGETS)
    assert list(get_args(manifest_weights.EncodingName)) == list(ENCODINGS)
    assert sense.BITS == {e.name: e.bits for e in ENCODINGS.values()}
    assert sense.SCALE_BYTES == {
        e.name: ENCODINGS[e.scales].bits // 8 for e in ENCODINGS.values() if e.scales}


def tag(of: type) -> tuple[str, str]:
    """The name and the only value of the first field of a manifest's type."""
    first = fields_of(of)[0]
    assert isinstance(first.shape, Word)
    (value,) = first.shape.values
    return first.key, str(value)


def modules(package: ModuleType) -> set[str]:
    return {m.name for m in iter_modules(package.__path__)} - package.HELPERS


def test_encodings() -> None:
    """The browser decodes every encoding, and so do WebAssembly's programs, but for f32."""
    rows = in_browser("load/decode.js",
                      "Object.entries(m.ENCODINGS).map(([k, v]) => [k, v.bits, v.scales ?? null])")
    assert rows == [[e.name, e.bits, e.scales] for e in ENCODINGS.values()]
    assert set(DECODERS) == set(ENCODINGS) - {PLAIN}
