"""Random models on the float64 graph, WebAssembly and JavaScript; see support/random_models.py."""

from pathlib import Path

import pytest
from support.random_jobs import drawn, run_here

STRIDE = 25


@pytest.mark.parametrize("first", range(0, 50, STRIDE))
def test_some(first: int, tmp_path: Path) -> None:
    run_here(drawn(range(first, first + STRIDE)), tmp_path)


@pytest.mark.parametrize("first", range(50, 600, STRIDE))
def test_many(first: int, tmp_path: Path) -> None:
    run_here(drawn(range(first, first + STRIDE)), tmp_path)
