"""No model takes all memory or never ends: a limit ends in a sentence, and other jobs go on."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxpress.build.pool import Pool
from onnxpress.compiler import Options, bytes_held, flops_of, press, require_room
from onnxpress.errors import FaultError, OnnxPressError, UnsupportedError
from onnxpress.importer.functions import require_few
from onnxpress.importer.model import import_model
from onnxpress.limits import LIMITS, Limits
from support.bombs import BOMBS
from support.onnx_models import model, node

HANG = 120  # seconds, many times what a refusal takes
HARMLESS = ("a stride of 2^31 in Conv", "a stride of 2^31 in MaxPool")


def ignore(kind: str, *facts: object) -> None:
    """Hears events."""


def hold(tell: Callable[..., None], size: int) -> int:
    """A job that holds `size` bytes until it is ended."""
    held = np.ones(size, np.uint8)
    time.sleep(HANG)
    return int(held[-1])


def sleep(tell: Callable[..., None]) -> None:
    time.sleep(HANG)


def vanish(tell: Callable[..., None]) -> None:
    os._exit(9)


def answer(tell: Callable[..., None], value: int) -> int:
    tell("stage", value)
    return value


@pytest.mark.parametrize(("limits", "job", "sentence"), [
    (Limits(gigabytes=0.5), (hold, 10**9), "GB of memory to compile: the limit is 0.5 gigabytes; "
                                           "raise limits.gigabytes or --gigabytes"),
    (Limits(minutes=0.02), (sleep,), "this takes too long to compile: the limit is 0.02 minutes; "
                                     "raise limits.minutes or --minutes"),
])
def test_a_job_that_takes_too_much_ends_and_others_go_on(
        limits: Limits, job: tuple, sentence: str) -> None:
    heard = []
    pool = Pool(1, lambda *event: heard.append(event), limits)
    bad, good = pool.submit(*job), pool.submit(answer, 7)
    with pytest.raises(UnsupportedError) as caught:
        bad.result(HANG)
    assert str(caught.value).endswith(sentence)
    assert good.result(HANG) == 7
    assert heard == [("stage", 7)]
    pool.close()


def test_a_process_that_vanishes_takes_no_other_job_along() -> None:
    pool = Pool(2, ignore, LIMITS)
    gone, others = pool.submit(vanish), [pool.submit(answer, i) for i in range(5)]
    with pytest.raises(FaultError, match="ended without a message"):
        gone.result(HANG)
    assert [other.result(HANG) for other in others] == list(range(5))
    pool.close()


def test_a_job_s_own_error_comes_through() -> None:
    pool = Pool(1, ignore, LIMITS)
    with pytest.raises(TypeError):
        pool.submit(answer, 1, 2, 3).result(HANG)
    pool.close()


def chain() -> onnx.ModelProto:
    """x[1,1000] and five more values of 1,000 elements, of which two live at a time."""
    nodes = [node("Softmax", f"v{i}", f"v{i + 1}") for i in range(4)]
    return model([node("Softmax", "x", "v0"), *nodes, node("Softmax", "v4", "y")], {"x": [1, 1000]})


def test_needs_are_estimated_from_shapes() -> None:
    graph = import_model(chain())
    assert bytes_held(graph, 8) == 8 * 2 * 1000
    product = import_model(model([node("MatMul", "a b")], {"a": [10, 20], "b": [20, 30]}))
    assert flops_of(product) == 2 * 10 * 20 * 30
    require_room(product, Limits(teraflop=12_000e-12))
    with pytest.raises(UnsupportedError, match=r"1\.2e-08 teraflop: the limit is 1\.1e-08"):
        require_room(product, Limits(teraflop=11_000e-12))


def test_functions_are_counted_before_they_are_inlined() -> None:
    require_few(chain())
    with pytest.raises(OnnxPressError, match=r"5.37e\+08 nodes; there may be 1,000,000"):
        require_few(BOMBS["functions that double"]())


@pytest.mark.parametrize("values", [{"gigabyte": 1}, {"minutes": 0}, {"minutes": "1h"},
                                    {"teraflop": True}, {"gigabytes": float("nan")}])
def test_a_limit_that_is_none_is_refused(values: dict) -> None:
    with pytest.raises(OnnxPressError, match=r"^limits: "):
        Limits.of(values, "limits")


def press_bomb(tell: Callable[..., None], name: str, folder: Path) -> None:
    press(BOMBS[name](), folder, Options())


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool(1, ignore, LIMITS)
    yield pool
    pool.close()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_one_sentence(pool: Pool, name: str, tmp_path: Path) -> None:
    job = pool.submit(press_bomb, name, tmp_path / "out")
    if name in HARMLESS:
        job.result(HANG)
        return
    with pytest.raises(OnnxPressError) as caught:
        job.result(HANG)
    assert "unexpected" not in str(caught.value)
    assert not list(tmp_path.glob("out/*"))


def test_the_command_says_it_too(tmp_path: Path) -> None:
    onnx.save(BOMBS["a product of 20,000^3"](), tmp_path / "m.onnx")
    done = subprocess.run(
        [sys.executable, "-m", "onnxpress.cli", "compile", "m.onnx", "--out", "out"],
        cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "onnxpress: a run takes 16 teraflop: the limit is 2 teraflop; raise limits.teraflop or "
        "--teraflop")
