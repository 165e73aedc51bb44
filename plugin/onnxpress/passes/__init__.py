"""The passes that every target shares, in the order in which they run.

A pass is a pure function `verb_noun(graph, note) -> Graph` in the file of its name. It calls
`note(where, reason)` where a reader would expect a change and none was made.
"""

from collections.abc import Callable

from ..errors import fault_at
from ..graph.graph import Graph, check
from ..graph.notes import AddNote
from ..ops import check_shapes
from .fold_affine import fold_affine
from .fold_constants import fold_constants
from .fold_operands import fold_operands
from .fold_pad import fold_pad
from .fuse_epilogue import fuse_epilogue
from .fuse_normalize import fuse_normalize
from .fuse_pointwise import fuse_pointwise
from .hoist_transposes import hoist_transposes
from .lower_qdq import lower_qdq
from .merge_duplicates import merge_duplicates
from .merge_products import merge_products
from .merge_reshapes import merge_reshapes
from .recover_matmul import recover_matmul
from .simplify_expressions import simplify_expressions
from .sink_pads import sink_pads
from .sink_reshapes import sink_reshapes
from .sink_transposes import sink_transposes
from .split_phases import split_phases

Pass = Callable[[Graph, AddNote], Graph]

PORTABLE: tuple[Pass, ...] = (
    fold_constants,
    sink_transposes,
    hoist_transposes,
    recover_matmul,
    merge_reshapes,
    merge_duplicates,
    fold_constants,
    simplify_expressions,
    lower_qdq,
    simplify_expressions,
    sink_reshapes,
    merge_reshapes,
    fuse_normalize,
    sink_pads,
    fold_pad,
    fold_affine,
    fuse_pointwise,
    fold_operands,
    fuse_epilogue,
    simplify_expressions,
    split_phases,
    merge_products,
)


def run_passes(graph: Graph, note: AddNote) -> Graph:
    """The graph after all portable passes. The reason of each note starts with the pass's name.

    Raises:
        PassError: the graph that a pass left is not valid; the message names the pass.
    """
    for run in PORTABLE:
        name = run.__name__

        def noted(where: str, reason: str, name: str = name) -> None:
            note(where, f"{name}: {reason}")

        with fault_at(f"pass {name}"):
            graph = check_shapes(check(run(graph, noted), after=name), after=name)
    return graph
