"""The table of node tests is true: it is made again here, and no number is wrong."""

from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest
from onnxpress.run.browser import Browser

from . import targets
from .page import PAGE, page
from .table import Row, load, prepared, rows_of, run_here, wrong

COVERED = 1200  # of the tests in scope; the table has the number of today


def check(rows: Mapping[str, Row], names: tuple[str, ...]) -> None:
    """That `rows` have no wrong number, and the table's results on the targets `names`."""
    bad = {name: row.results[t] for name, row in rows.items() for t in names
           if wrong(name, row.results[t])}
    assert not bad
    version, _, _, table = load()
    if version == onnx.__version__:
        changed = {name: (row.results[t], table[name].results[t])
                   for name, row in rows.items() for t in names
                   if row.right(t) != table[name].right(t)}
        assert not changed, "make conformance"


def test_no_node_test_is_wrong(tmp_path: Path) -> None:
    tests, refused = prepared()
    results = run_here(tests, tmp_path)
    rows = rows_of(tests, results)
    assert sum(row.right("relaxed") for row in rows.values()) >= COVERED
    here = tuple(results)
    check(rows | {name: Row(r.operator, r.opset, "", {t: r.results[t] for t in here})
                  for name, r in refused.items()}, here)


def test_no_node_test_is_wrong_on_webgpu(browser: Browser) -> None:
    tests, _ = prepared()
    check(rows_of(tests, {"webgpu": targets.on_webgpu(tests, browser)}), ("webgpu",))


def test_the_page_shows_the_table() -> None:
    assert PAGE.read_text("utf-8") == page()


@pytest.mark.parametrize("target", targets.TARGETS)
def test_the_table_has_no_wrong_number(target: str) -> None:
    rows = load()[3]
    assert not [name for name, row in rows.items() if wrong(name, row.results[target])]
    assert sum(row.right(target) for row in rows.values()) >= COVERED
