"""An operator whose addresses come from data, and that does not say so, fails here by itself: each
one in the table of cases is looked at."""

from dataclasses import replace

import pytest
from onnxpress.ops import OPS
from support.cases import IN_CASES, nodes_alone
from support.touched import undeclared
from support.wasm_graphs import GRAPHS


@pytest.mark.parametrize("op", IN_CASES)
def test_addresses_come_from_data_only_where_that_is_declared(op: str) -> None:
    assert undeclared(nodes_alone(op), OPS) == set()


def test_no_address_of_a_product_comes_from_data() -> None:
    assert undeclared((draw() for draw in GRAPHS.values()), OPS) == set()


def test_a_gather_that_declares_nothing_is_found() -> None:
    forgotten = {**OPS, "gather": replace(OPS["gather"], reads_by_data=())}
    assert undeclared(nodes_alone("gather"), forgotten) == {"gather"}
