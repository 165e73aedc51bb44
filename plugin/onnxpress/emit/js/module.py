"""An ES module under construction: functions rendered from kernel.js templates, tables, steps.

A kernel.js is JavaScript with Jinja2 tags. It calls its function NAME and its own helpers
NAME_something. Equal texts become one function, so all convolutions of a net that have the same
epilogue share one compiled loop.
"""

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from ...graph.expr import PRIMS, Expr, inp, text

KERNELS = Path(__file__).parents[2] / "kernels"
HELPERS = Path(__file__).with_name("helpers.js")

# Nothing rendered here reaches HTML: the output is a script file.
_JINJA = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
                     keep_trailing_newline=False)


@cache
def _template(path: Path) -> Template:
    return _JINJA.from_string(path.read_text(encoding="utf-8"))


class JsModule:
    """Functions and tables are added on first use; `call` appends to the current step."""

    def __init__(self) -> None:
        self._functions: dict[str, tuple[str, str]] = {}  # template text -> (name, final text)
        self._tables: dict[str, str] = {}  # definition -> name
        self._names: set[str] = set()
        self._steps: list[list[str]] = []

    def function(self, kernel: str, file: str = "kernel.js", **parameters: Any) -> str:
        """Renders kernels/<kernel>/<file> with `parameters`; returns the function's name."""
        source = _template(KERNELS / kernel / file).render(parameters)
        if source not in self._functions:
            stem = Path(file).stem
            name = self._fresh(kernel if stem == "kernel" else f"{kernel}_{stem}")
            self._functions[source] = (name, re.sub(r"\bNAME", name, source))
        return self._functions[source][0]

    def packer(self, kind: str) -> str:
        """The name of the exported function that packs constants as `kind`."""
        source = Path(__file__).with_name(f"pack_{kind}.js").read_text(encoding="utf-8").strip()
        self._functions[source] = (f"pack_{kind}", source)
        return f"pack_{kind}"

    def table(self, kind: str, numbers: Iterable[float]) -> str:
        """The name of a constant typed array of the module; `kind` is "Int32" or "Float64"."""
        return self._define(f"new {kind}Array([{','.join(map(number, numbers))}])")

    def sums(self, length: int) -> str:
        """The name of a Float64Array of `length` that every call may overwrite."""
        return self._define(f"new Float64Array({length})")

    def _define(self, definition: str) -> str:
        if definition not in self._tables:
            self._tables[definition] = self._fresh("table")
        return self._tables[definition]

    def _fresh(self, stem: str) -> str:
        name, i = stem, 1
        while name in self._names:
            i += 1
            name = f"{stem}{i}"
        self._names.add(name)
        return name

    def begin_step(self) -> None:
        """Starts the next step of the program."""
        self._steps.append([])

    def call(self, function: str, *args: float | str) -> None:
        """A call with literal arguments (or table names), in the current step."""
        shown = ", ".join(["H", *(a if isinstance(a, str) else number(a) for a in args)])
        self._steps[-1].append(f"{function}({shown});")

    def encode(self) -> bytes:
        """The module's text in UTF-8."""
        body = "\n\n".join(source for _, source in self._functions.values())
        helpers = [h for h in _helpers() if re.search(rf"\b{h[0]}\(", body)]
        tables = [f"const {name} = {made};" for made, name in self._tables.items()]
        steps = ",\n".join(f"  (H) => {{ {' '.join(calls)} }}" for calls in self._steps)
        parts = [
            *(source for _, source in helpers),
            "\n".join(tables),
            body,
            f"const steps = [\n{steps},\n];" if steps else "const steps = [];",
            "/** Runs step i on the heap. @param {Float32Array} H @param {number} i */\n"
            "export const step = (H, i) => steps[i](H);",
            "/** Runs the whole program on the heap. @param {Float32Array} H */\n"
            "export function run(H) {\n  for (const one of steps) one(H);\n}",
        ]
        return ("\n\n".join(p for p in parts if p) + "\n").encode()


@cache
def _helpers() -> list[tuple[str, str]]:
    """(name, text) of each function in helpers.js, which the primitives' JavaScript calls."""
    parts = HELPERS.read_text(encoding="utf-8").strip().split("\n\n")
    return [(found[1], part) for part in parts
            if (found := re.search(r"^function (\w+)", part, re.M))]


def number(value: float) -> str:
    """A JavaScript literal; negative numbers in parentheses, so that -(-1) stays two signs."""
    if isinstance(value, float) and not value.is_integer():
        if math.isnan(value):
            return "NaN"
        shown = "Infinity" if math.isinf(value) else repr(abs(value))
        return f"(-{shown})" if value < 0 else shown
    negative = math.copysign(1, value) < 0
    return f"(-{abs(int(value))})" if negative else str(int(value))


def assign(target: str, expr: Expr, names: Sequence[str]) -> str:
    """JavaScript that stores `expr` in `target`; `names[i]` spells input i. A subexpression that
    occurs twice is computed once: fusion copies whole subtrees, and exp takes long."""
    names = list(names)
    lines = []
    while (shared := _shared(expr)) is not None:
        local = f"t{len(names)}"
        lines.append(f"const {local} = {text(shared, 'js', names, number)};")
        expr = _replace(expr, shared, inp(len(names)))
        names.append(local)
    store = f"{target} = {text(expr, 'js', names, number)};"
    return f"{{ {' '.join(lines)} {store} }}" if lines else store


def lift(expr: Expr, count: int) -> tuple[Expr, tuple[float, ...]]:
    """(expression, numbers): each number but 0 and 1 becomes an input, from index `count` on.
    So kernels that differ only in numbers are one function, which the browser compiles once."""
    found: list[float] = []

    def walk(e: Expr) -> Expr:
        if e.op == "const" and e.value not in (0, 1):
            if e.value not in found:
                found.append(e.value)
            return inp(count + found.index(e.value))
        return Expr(e.op, tuple(map(walk, e.args)), e.value)

    return walk(expr), tuple(found)


def _shared(expr: Expr) -> Expr | None:
    """The deepest subexpression, other than a leaf, that occurs more than once."""
    counts: dict[Expr, int] = {}

    def walk(e: Expr) -> None:
        if not e.args:
            return
        counts[e] = counts.get(e, 0) + 1
        if counts[e] == 1:
            for i, arg in enumerate(e.args):
                # isnan spells its argument twice.
                for _ in range(PRIMS[e.op].js.count(f"{{{i}}}")):
                    walk(arg)

    walk(expr)
    deep = [e for e, n in counts.items() if n > 1]
    return min(deep, key=_depth) if deep else None


@cache
def _depth(expr: Expr) -> int:
    return 1 + max(map(_depth, expr.args), default=0)


def _replace(expr: Expr, old: Expr, new: Expr) -> Expr:
    if expr == old:
        return new
    return Expr(expr.op, tuple(_replace(a, old, new) for a in expr.args), expr.value)
