"""SECURITY.md names the tests that hold each of its promises."""

import re

from support.paths import ROOT

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")


def test_each_promise_names_tests_that_exist() -> None:
    promised = TEXT.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [line for line in promised.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 10
    for row in rows:
        tests = re.findall(r"`(tests/[\w/.]+)`", row)
        assert tests and all((ROOT / test).exists() for test in tests), row


def test_its_links_lead_somewhere() -> None:
    for path, anchor in re.findall(r"\]\(([\w/.-]+\.md)#([\w-]+)\)", TEXT):
        page = (ROOT / path).read_text("utf-8")
        headings = {re.sub(r"[^\w-]", "", h.lower().replace(" ", "-"))
                    for h in re.findall(r"^#+ (.*)$", page, re.M)}
        assert f'id="{anchor}"' in page or anchor in headings, (path, anchor)
