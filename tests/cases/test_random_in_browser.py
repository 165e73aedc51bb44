"""Random models on WebGPU in a browser; see support/random_models.py."""

import pytest
from onnxpress.run.browser import Browser
from support.random_jobs import drawn, run_in

STRIDE = 20


@pytest.mark.parametrize("first", range(0, 40, STRIDE))
def test_some(browser: Browser, first: int) -> None:
    run_in(browser, drawn(range(first, first + STRIDE)))


@pytest.mark.parametrize("first", range(40, 400, STRIDE))
def test_many(browser: Browser, first: int) -> None:
    run_in(browser, drawn(range(first, first + STRIDE)))
