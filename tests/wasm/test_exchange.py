"""Every WebAssembly kernel on workers that share no memory and are told only what the exchange says
(see peers.py) gives what one thread gives, to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
from onnxpress.compiler import Notes, lower
from onnxpress.graph.expr import inp
from onnxpress.graph.graph import Graph
from onnxpress.programs.describe import describe
from onnxpress.programs.plan import plan_linear
from onnxpress.programs.wasm import exchange
from onnxpress.programs.wasm import int8 as wasm_int8
from onnxpress.programs.wasm import threads as wasm_threads
from onnxpress.programs.wasm.build import emit_module
from support.cases import IN_CASES, nodes_alone
from support.graphs import Draw, sample_inputs
from support.onnx_models import every_phase
from support.peers import Peers, exchanges
from support.peers import check_workers as check
from support.random_graphs import random_graph
from support.wasm_graphs import GRAPHS, convolution
from support.whole_numbers import Whole


@pytest.fixture(autouse=True)
def _messages_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that workers share all phases."""
    monkeypatch.setattr(exchange, "MESSAGE", 0.0)


@pytest.mark.parametrize("name", GRAPHS)
def test_workers_share_products_and_convolutions(name: str) -> None:
    check(GRAPHS[name]())


@pytest.mark.parametrize("seed", range(24))
def test_workers_share_random_graphs(seed: int) -> None:
    check(random_graph(seed))


@pytest.mark.parametrize("op", IN_CASES)
def test_workers_share_every_operator_of_the_cases(op: str) -> None:
    """A node reads what other workers have made, and they read what it makes."""
    for graph in nodes_alone(op)[:3]:
        check(between_steps(graph))


def between_steps(graph: Graph) -> Graph:
    """The graph's only node, behind a step for each operand and before one for each output. The
    operands are numbers of about 10, so that they point to several elements if they are indices."""
    d, (node,) = Draw(), graph.nodes
    for name in graph.inputs:
        d.node("pointwise", f"{name}.made", d.input(name, *graph.shape(name)), expr=inp(0) * 10)
    d.values.update({name: graph.values[name] for name in node.outputs})
    d.nodes.append(replace(node, inputs=tuple(f"{name}.made" for name in node.inputs)))
    return d.graph(*(d.node("pointwise", f"{name}.read", name, expr=inp(0) + 1)
                     for name in node.outputs))


def net() -> Graph:
    """Rows, halos of both kinds, norms, residuals, channels and vectors after each other."""
    d = Draw()
    x = d.conv("c0", d.input("x", 1, 37, 33, 3), 3, 16, pad=1)
    c1 = d.conv("c1", x, 3, 24, pad=1, stride=2)
    n = d.node("normalize", "n", c1, d.weights("s", 24), d.weights("t", 24), axes=(1, 2), eps=1e-5)
    c2 = d.conv("c2", n, 3, 24, pad=1)
    d.nodes[-1] = d.nodes[-1].with_attrs(pad_mode="reflect")
    r = d.node("pointwise", "r", c2, c1, expr=inp(0) + inp(1))
    c3 = d.conv("c3", r, 3, 24, pad=1, groups=24)
    p = d.node("pool2d", "p", c3, kind="max", kernel=(3, 3), strides=(2, 2), pads=(1,) * 4,
               dilations=(1, 1), count_include_pad=False, size=(10, 9))
    c4 = d.conv("c4", p, 1, 200)
    c5 = d.conv("c5", c4, 3, 60, stride=2, pad=1)
    mean = d.node("reduce", "mean", c5, kind="mean", axes=(1, 2))
    flat = d.node("reshape", "flat", mean, shape=(1, 60))
    d.node("matmul", "y", flat, d.weights("m", 60, 37), d.weights("b", 37))
    return d.graph("y", "r")


def test_what_data_points_to_is_at_hand() -> None:
    """Which rows a gather reads is not known at build time."""
    d = Draw()
    rows = d.node("pointwise", "r", d.input("x", 40, 24), expr=inp(0) * 2)
    picked = d.node("gather", "g", rows, d.input("at", 17), axis=0)
    check(d.graph(d.node("pointwise", "y", picked, expr=inp(0) + 1)))


@pytest.mark.parametrize("isa", ["relaxed", "simd128"])
def test_workers_share_a_net(isa: str) -> None:
    check(net(), isa)
    check(lower(every_phase(), {}, Notes()), isa)


@pytest.mark.parametrize("integers", wasm_int8.INTEGERS, ids=lambda integers: integers.name)
@pytest.mark.parametrize("mode", ["zero", "reflect"])
def test_workers_share_products_of_whole_numbers(integers: wasm_int8.Integers, mode: str) -> None:
    d = Whole()
    x = d.steps(d.input("x", 1, 23, 19, 5), -30, 97)
    a = d.convolution("a", x, (3, 3), 12, mode=mode, lo=-30, hi=97)
    b = d.convolution("b", a, (1, 1), 12, residual=a)
    d.convolution("y", b, (3, 3), 70, strides=(4, 4), plain=True)
    graph = wasm_int8.mark(d.graph("y"), integers.kind, d.constants)
    assert sum("dot" in node.attrs.told() for node in graph.nodes) == 3
    check(graph, published=d.constants)


def test_workers_run_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a program of some 20 ms."""
    plan = plan_linear(convolution((1, 128, 128, 64), 3, 64, pad=1), "wasm")
    alone = sum(wasm_threads.seconds(plan))

    def count(*shares: float) -> int:
        return wasm_threads.paying_workers(plan, [
            exchange.Exchange(workers, (), (), share * alone)
            for workers, share in enumerate(shares, 2)])

    assert wasm_threads.worth_workers(plan)
    assert (count(0.55, 0.4, 0.3), count(0.55, 0.4, 0.4), count(0.95, 0.2)) == (4, 3, 1)
    monkeypatch.setattr(wasm_threads, "HEAPS", 2 * 4 * plan.elements)
    assert count(0.55, 0.4, 0.3) == 2
    monkeypatch.setattr(wasm_threads, "HEAPS", 2 * 4 * plan.elements - 1)
    assert not wasm_threads.worth_workers(plan)
    small = plan_linear(convolution((1, 16, 16, 64), 3, 64, pad=1), "wasm")
    monkeypatch.undo()
    assert not wasm_threads.worth_workers(small)


def test_a_missing_message_shows() -> None:
    """Without any one of the messages, the result is another one."""
    graph = net()
    plan = plan_linear(graph, "wasm")
    module, about = emit_module(plan, "relaxed"), describe(plan, graph)
    inputs = list(sample_inputs(graph).values())
    (told,) = exchanges(module, plan, [2])
    whole = Peers(module, plan, about, graph.constants, inputs, told).run()
    assert len(told.messages) > 10
    for i in range(len(told.messages)):
        fewer = replace(told, messages=told.messages[:i] + told.messages[i + 1:])
        bits = Peers(module, plan, about, graph.constants, inputs, fewer).run()
        same = all(np.array_equal(a, b) for a, b in zip(whole, bits, strict=True))
        assert not same, told.messages[i]
