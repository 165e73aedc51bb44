"""fill_halo: fills the border around an image in linear memory.

Planners add it before or after the step that makes the image. It changes no element of the image
itself, so no graph holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from ..graph.graph import Attrs, Node
from .base import LINEAR, Op, exact, free, never


@dataclass(frozen=True, kw_only=True)
class FillHalo(Attrs):
    """`mode`: "zero", "reflect" or "edge". `pads`: rows and pixels to fill at the top, left,
    bottom and right."""

    op: ClassVar[str] = "fill_halo"
    mode: str
    pads: tuple[int, int, int, int]


def _no_value(node: Node, operands: Sequence[Any]) -> NoReturn:
    raise ValueError("fill_halo makes no value; only planners make it")


OPS = (
    Op(attrs=FillHalo, outputs=("out",),
       infer=_no_value, reference=_no_value, flops=free, ulps=exact,
       own=None, weights_rank=None, picks=never, follows=None, samples=None,
       moves=None, alias=None, reads_by_data=(), kernel="fill_halo", targets=LINEAR),
)
