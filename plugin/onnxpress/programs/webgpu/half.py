"""Values that lie in memory as f16 and are computed with in f32, where a GPU has "shader-f16".

Kernels know nothing of it: this module rewrites a shader's text where it reads and writes such
values. So every sum, statistic and formula stays f32, and only stored values are rounded.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import replace

from ...emit.wgsl.shader import Dispatch
from ...graph.graph import Graph
from ...ops.conv import Conv2d

KINDS = {"vec4f": "vec4h", "vec2f": "vec2h", "f32": "f16"}
DECLARED = re.compile(r"(@binding\((\d+)\) var<storage, \w+> (\w+): array<)(vec4f|vec2f|f32)\b")
ASSIGNED = re.compile(r"\s*=(?!=)\s*([^;]*);")
HALVES = re.compile(r"array<(?:vec[24]h|f16)\b")


def half_values(graph: Graph, roots: Mapping[str, tuple[str, int]]) -> set[str]:
    """The values that lie in memory as f16.

    These are values of float types, except constants and values in the memory of an input or
    output. Images that are filled up to four channels (kernels/conv2d) lie in f16 too.
    """
    kept = {*graph.constants, *(roots[n][0] for n in (*graph.inputs, *graph.outputs))}
    plain = {n for n, (root, _) in roots.items() if root not in kept
             and graph.values[root].dtype.startswith("f")}
    return plain | {f"{node.name}@wide" for node in graph.nodes if isinstance(node.attrs, Conv2d)}


def halve(dispatch: Dispatch, held: Set[str]) -> Dispatch:
    """`dispatch` with the values in `held` as f16."""
    values = (*dispatch.reads, *dispatch.writes)
    ports: dict[str, str] = {}

    def declare(match: re.Match[str]) -> str:
        if values[int(match[2])] not in held:
            return match[0]
        ports[match[3]] = match[4]
        return match[1] + KINDS[match[4]]

    title, _, body = DECLARED.sub(declare, dispatch.shader).partition("\n")
    if not ports:
        return dispatch
    return replace(dispatch, shader=f"{title}\n{_converted(body, ports)}")


def enabled(code: str) -> str:
    """`code` with the directive for f16 if it uses f16. The first line of `code` is a comment."""
    title, _, body = code.partition("\n")
    return f"{title}\nenable f16;\n{body}" if HALVES.search(body) else code


def _converted(text: str, ports: Mapping[str, str]) -> str:
    """NAME[i] becomes f32(NAME[i]), and NAME[i] = v; becomes NAME[i] = f16(v);"""
    access = re.compile(rf"(?<![\w.])({'|'.join(ports)})\[")
    done, at = [], 0
    while match := access.search(text, at):
        end = _closing(text, match.end())
        place = f"{match[0]}{_converted(text[match.end() : end], ports)}]"
        kind = ports[match[1]]
        done.append(text[at : match.start()])
        if assigned := ASSIGNED.match(text, end + 1):
            done.append(f"{place} = {KINDS[kind]}({_converted(assigned[1], ports)});")
            at = assigned.end()
        else:
            done.append(f"{kind}({place})")
            at = end + 1
    return "".join([*done, text[at:]])


def _closing(text: str, at: int) -> int:
    """The index of the bracket that closes the one just before `at`."""
    depth = 1
    while depth:
        depth += {"[": 1, "]": -1}.get(text[at], 0)
        at += 1
    return at - 1
