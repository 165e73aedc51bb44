"""WebGPU programs as data: memory, limits, sameness, and a net that reuses its buffers."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from chromium import SWIFTSHADER
from graphs import Draw
from onnxpress.browser import Browser, find_chromium
from onnxpress.emit.webgpu import build
from onnxpress.emit.wgsl_cost import SPLITS, choose, palette
from onnxpress.emit.wgsl_device import DEVICES, DISCRETE, TILES
from onnxpress.emit.wgsl_memory import Life, place_constants, place_values
from onnxpress.emit.wgsl_shader import MAX_BINDING, MAX_GROUPS, Work
from onnxpress.errors import PlanError
from onnxpress.expr import call, inp
from onnxpress.runtime_files import RUNTIME
from webgpu_jobs import check, program_of


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser({"/runtime/": RUNTIME}, flags=SWIFTSHADER) as chromium:
        yield chromium


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


@pytest.mark.skipif(not find_chromium(), reason="no Chromium on this machine")
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
    program = program_of(draw.graph(name))
    assert program["submits"] == [3, 4]  # 4.8 GFLOP each


def test_tiles_fit_the_guaranteed_limits() -> None:
    for tile in TILES:
        assert 4 * tile.depth * (tile.rows + tile.cols) <= 16384
        assert tile.lanes <= 256 and tile.rows % tile.height == 0 and tile.depth % 4 == 0


@pytest.mark.parametrize("m, n, k", [(49, 512, 4608), (49, 2048, 512), (196, 256, 2304)])
def test_small_images_still_fill_a_large_gpu(m: int, n: int, k: int) -> None:
    tile, parts = choose(Work(m, n, k, 1), DISCRETE)
    assert parts in SPLITS
    assert -(-m // tile.rows) * -(-n // tile.cols) * parts >= 64


def test_a_program_keeps_to_few_tiles() -> None:
    works = [Work(m, n, k, 1) for m in (49, 784, 12544) for n in (3, 64, 512) for k in (32, 1152)]
    for device in DEVICES:
        chosen = palette(works, device)
        assert len(chosen.tiles) <= 3
        assert {choose(work, chosen)[0] for work in works} == set(chosen.tiles)


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
