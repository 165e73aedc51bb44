"""Graph -> one ES module that runs on a Float32Array, for browsers without WebAssembly.

The module has plain loops and no `eval`, so iOS Lockdown Mode and content security policies admit
it.
"""

from ..emit.js.module import JsModule
from ..errors import fault_at
from ..graph.graph import Graph
from ..kernels import linear_kernel
from ..pack.targets import Linear
from .describe import describe
from .plan import plan_linear
from .program import Program


def build(graph: Graph) -> Program[Linear]:
    """The module of `graph` and the manifest's facts about it.

    Raises:
        PlanError: an operator has no JavaScript kernel.
    """
    plan = plan_linear(graph, "js")
    module = JsModule()
    for step in plan.steps:
        module.begin_step()
        with fault_at(f'{step.node.op} "{step.node.name}" in JavaScript'):
            linear_kernel(step.node, "js").emit(step, module)
    return Program("js", {"module": (module.encode(), "js")}, describe(plan, graph))
