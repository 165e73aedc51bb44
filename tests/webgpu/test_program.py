"""WebGPU programs as data: memory, limits, sameness, and a net that reuses its buffers."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate, pairwise
from math import prod

import numpy as np
import pytest
from onnxpress.emit.wgsl.cost import palette, quickest_tile
from onnxpress.emit.wgsl.device import DEVICES, DISCRETE, SPLITS, TILES, Device
from onnxpress.emit.wgsl.shader import MAX_BINDING, MAX_GROUPS, Dispatch, Work
from onnxpress.errors import PlanError
from onnxpress.graph.expr import call, inp
from onnxpress.programs.webgpu.build import build, fit, lower_all
from onnxpress.programs.webgpu.cut import cut
from onnxpress.programs.webgpu.memory import Life, place_constants, place_values
from onnxpress.run.browser import Browser
from support.graphs import Draw, sample_inputs
from support.webgpu_jobs import check, program_of, run_graph


def small_net() -> Draw:
    """Residual blocks, a depthwise one, a norm, an upsampling and a head."""
    draw = Draw()
    draw.node("transpose", "x0", draw.input("x", 1, 3, 20, 18), perm=(0, 2, 3, 1))
    draw.conv("c0", "x0", 3, 16, stride=2, pad=1)
    draw.conv("c1", "c0", 3, 16, pad=1, groups=16)
    draw.conv("c2", "c1", 1, 16)
    draw.node("pointwise", "r", "c2", "c0", expr=call("max", inp(0) + inp(1), 0.0))
    draw.node("normalize", "n", "r", draw.weights("s", 1, 1, 1, 16), draw.weights("t", 1, 1, 1, 16),
              axes=(1, 2), eps=1e-5)
    draw.node("concat", "k", "n", "r", axis=3)
    draw.conv("c3", "k", 3, 8, pad=1)
    draw.node("reduce", "m", "c3", kind="mean", axes=(1, 2))
    draw.node("reshape", "f", "m", shape=(1, 8))
    draw.node("matmul", "g", "f", draw.weights("v", 8, 10), draw.weights("u", 10))
    draw.node("softmax", "y", "g", axis=1, log=False)
    return draw


def test_a_net_whose_buffers_are_reused(browser: Browser) -> None:
    draw = small_net()
    program = program_of(draw.graph("y", "c3"))
    values = sum(4 * np.prod(draw.values[n.name].shape) for n in draw.nodes)
    moving = {w["buffer"] for w in program["weights"]}
    assert sum(s for i, s in enumerate(program["buffers"]) if i not in moving) < 0.8 * values
    check(browser, draw, "y", "c3")


def test_programs_are_the_same_bytes_each_time() -> None:
    graph = small_net().graph("y")
    first, second = build(graph), build(graph)
    assert first == second


def test_no_dispatch_reads_what_it_writes() -> None:
    program = program_of(small_net().graph("y"))
    for run in program["dispatches"]:
        writes = program["shaders"][run["shader"]]["writes"]
        reads = {buffer for buffer, _, _ in run["bind"][:-writes]}
        assert not reads & {buffer for buffer, _, _ in run["bind"][-writes:]}
        assert max(run["groups"]) <= MAX_GROUPS and len(run["bind"]) <= 8


def test_large_grids_fold_into_rows() -> None:
    draw = Draw()
    draw.node("pointwise", "y", draw.input("x", 5_000_001), expr=inp(0) + 1.0)
    (run,) = program_of(draw.graph("y"))["dispatches"]
    x, y = run["groups"]
    assert x <= MAX_GROUPS and 64 * x * y >= 5_000_001


def test_a_value_beyond_every_binding_is_refused() -> None:
    draw = Draw()
    draw.node("pointwise", "y", draw.input("x", 1, 6000, 6000, 1), expr=inp(0) + 1.0)
    with pytest.raises(PlanError, match=r"%x: 137 MiB exceed the 128 MiB"):
        build(draw.graph("y"))


def test_long_programs_are_submitted_in_pieces() -> None:
    draw = Draw()
    name = draw.input("x", 1, 256, 256, 64)
    for i in range(4):
        name = draw.conv(f"c{i}", name, 3, 64, pad=1)
    device = replace(DISCRETE, sizes=(1,), submit=10_000_000_000)
    assert program_of(draw.graph(name), device)["submits"] == [2, 4]  # 4.8 GFLOP each


def long_net() -> Draw:
    """All that a dispatch's work can be, in more than one workgroup each."""
    draw = Draw()
    draw.conv("direct", draw.input("x", 3, 30, 26, 12), 5, 48, stride=2, pad=2)
    draw.conv("winograd", "direct", 3, 32, pad=1)
    draw.conv("depthwise", "winograd", 3, 32, pad=1, groups=32)
    draw.conv("grouped", "depthwise", 3, 24, pad=1, groups=8)
    draw.node("pool2d", "pooled", "grouped", kind="max", kernel=(3, 3), size=(15, 13),
              strides=(1, 1), pads=(1, 1, 1, 1), dilations=(1, 1), count_include_pad=False)
    draw.node("normalize", "normal", "pooled", draw.weights("s", 1, 1, 1, 24),
              draw.weights("t", 1, 1, 1, 24), axes=(1, 2), eps=1e-5)
    draw.node("matmul", "products", "normal", draw.weights("v", 24, 72), draw.weights("u", 72))
    draw.node("pointwise", "y", "products", expr=call("exp", inp(0) * 0.01))
    return draw


def winograd_net() -> Draw:
    """The one operator of `long_net` that a device's sizes of tiles change."""
    draw = Draw()
    draw.conv("y", draw.input("x", 3, 15, 13, 48), 3, 32, pad=1)
    return draw


@pytest.mark.parametrize(("net", "size"), [(long_net, 1), (winograd_net, 2), (winograd_net, 4)])
def test_long_dispatches_are_cut_and_make_the_same(
        browser: Browser, net: Callable[[], Draw], size: int) -> None:
    graph = net().graph("y")
    whole = replace(DISCRETE, sizes=(size,), processors=1)
    short = replace(whole, submit=50_000)
    pieces = Counter(run["step"] for run in program_of(graph, short)["dispatches"])
    steps = Counter(run["step"] for run in program_of(graph, whole)["dispatches"])
    assert all(pieces[step] > count for step, count in steps.items())
    feeds = sample_inputs(graph)
    made, cut = (run_graph(browser, graph, feeds, device).body for device in (whole, short))
    assert made == cut


@pytest.mark.parametrize("device", DEVICES, ids=lambda d: d.name)
@pytest.mark.parametrize("net", [small_net, long_net])
@pytest.mark.parametrize("most", [5_000, 300_000])
def test_no_dispatch_and_no_submit_is_long(device: Device, net: Callable[[], Draw], most: int
                                           ) -> None:
    graph = net().graph("y")
    device = replace(device, submit=most)
    dispatches = [d for _, made in lower_all(fit(graph)[0], device) for d in made if not d.once]
    assert max(d.operations for d in dispatches if prod(d.workgroups) > 1) <= most
    assert all(d.workgroups[1] == 1 for d in dispatches)
    ends = program_of(graph, device)["submits"]
    assert ends[-1] == len(dispatches)
    for begin, end in pairwise([0, *ends]):
        own = [d.operations for d in dispatches[begin:end] if d.operations]
        assert len(own) < 2 or sum(own) <= most


def test_pieces_cover_a_folded_dispatch() -> None:
    """The pieces' workgroups, in order, are all workgroups of the whole dispatch, folded or not."""
    text = "let id = group.x + group.y * 50000u;"
    whole = Dispatch(text, (), (), (50000, 3), operations=1000)
    for most in (999, 400, 7):
        pieces = cut([whole], 0, most)
        firsts = [int(re.search(r"group.x \+ (\d+)u", p.shader)[1]) for p in pieces]
        assert firsts == [0, *accumulate(p.workgroups[0] for p in pieces)][:-1]
        assert sum(p.workgroups[0] for p in pieces) == 150000
        assert all(p.operations <= most and p.workgroups[1] == 1 for p in pieces)
        assert max(p.workgroups[0] for p in pieces) <= MAX_GROUPS


def test_tiles_fit_the_guaranteed_limits() -> None:
    for tile in TILES:
        assert 4 * tile.depth * (tile.rows + tile.cols) <= 16384
        assert tile.lanes <= 256 and tile.rows % tile.height == 0 and tile.depth % 4 == 0


@pytest.mark.parametrize("m, n, k", [(49, 512, 4608), (49, 2048, 512), (196, 256, 2304)])
def test_small_images_still_fill_a_large_gpu(m: int, n: int, k: int) -> None:
    tile, parts = quickest_tile(Work(m, n, k, 1), DISCRETE)
    assert parts in SPLITS
    assert -(-m // tile.rows) * -(-n // tile.cols) * parts >= 64


def test_a_program_keeps_to_few_tiles() -> None:
    works = [Work(m, n, k, 1) for m in (49, 784, 12544) for n in (3, 64, 512) for k in (32, 1152)]
    for device in DEVICES:
        chosen = palette(works, device)
        assert len(chosen.tiles) <= 3
        assert {quickest_tile(work, chosen)[0] for work in works} == set(chosen.tiles)


@pytest.mark.parametrize("layers, kind, half, splits", [
    (1, 0, False, SPLITS), (1, 400_000, False, (1,)), (20, 400_000, False, SPLITS),
    (20, 400_000, True, (1,)), (100, 400_000, True, SPLITS),
])
def test_parts_of_k_must_pay_for_their_shaders(layers: int, kind: int, half: bool,
                                               splits: tuple[int, ...]) -> None:
    """In f16 these are two: of the sums, and of products that make parts in f32."""
    works = [Work(169, 64, 512, 1)] * layers + [Work(50_000, 64, 64, 1)]
    assert palette(works, replace(DISCRETE, kind=kind), half).splits == splits


def test_layers_of_many_shapes_share_shaders() -> None:
    """Compiling takes longer than running: numbers come from a buffer, the rest is the same."""
    draw = Draw()
    name = draw.input("x", 1, 40, 36, 8)
    for i, (size, c) in enumerate([(3, 16), (1, 24), (3, 32), (1, 16), (5, 20)]):
        name = draw.conv(f"c{i}", name, size, c, pad=size // 2)
    program = program_of(draw.graph(name))
    used = {run["shader"] for run in program["dispatches"]}
    assert len(used) < 4 and used == set(range(len(program["shaders"])))
    for run in program["dispatches"]:
        assert len(run["numbers"]) == program["shaders"][run["shader"]]["numbers"]


def test_constants_share_buffers_within_a_binding() -> None:
    half = MAX_BINDING // 2
    places, sizes = place_constants([("a", 100), ("b", half), ("c", half), ("d", 16)])
    assert [(p.buffer, p.offset) for p in places.values()] == [
        (0, 0), (0, 256), (1, 0), (1, half)]
    assert max(sizes) <= MAX_BINDING


def test_values_alive_together_never_share() -> None:
    random = np.random.default_rng(1)
    lives = {}
    for i in range(60):
        first = int(random.integers(0, 40))
        lives[f"v{i}"] = Life(int(random.integers(1, 50)) * 16, first, first + 1 + i % 7)
    places, sizes = place_values(lives, 2)
    by_buffer: dict[int, list[Life]] = {}
    for name, place in places.items():
        assert place.size <= sizes[place.buffer - 2]
        by_buffer.setdefault(place.buffer, []).append(lives[name])
    for held in by_buffer.values():
        for old, new in pairwise(sorted(held, key=lambda life: life.first)):
            assert old.last < new.first
