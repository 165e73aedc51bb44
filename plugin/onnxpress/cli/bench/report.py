"""The results of `onnxpress bench`, as a table, as JSON and as a chart."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...files import json_bytes, write_atomically
from ...site.page import chart
from ..output import say, say_json, table

# The measurements as runtime/bench/measure.js returns them, with model, engine and so on.
Facts = Mapping[str, Any]
HEAD = ("step", "ms", "share", "GFLOP/s", "of peak", "MB", "GB/s")
STDOUT = Path("-")


def report(facts: Facts, options: argparse.Namespace) -> None:
    """Writes the chart and the JSON file if asked for; prints JSON or the table."""
    if options.chart:
        write_atomically(options.chart, chart(facts, steps_of(facts)).encode())
    if not write_json(facts, options):
        _print(facts)


def write_json(facts: Facts, options: argparse.Namespace) -> bool:
    """Writes JSON if --json asks for it; returns whether it took standard output."""
    if options.json == STDOUT:
        say_json(facts)
    elif options.json:
        write_atomically(options.json, json_bytes(facts))
    return options.json == STDOUT


def steps_of(facts: Facts) -> list[dict[str, Any]]:
    """The steps and their sum, each with four ratios; None where a divisor is 0.

    `share`: of the sum's time. `gflops`: GFLOP/s. `of_peak`: GFLOP/s over the machine peak.
    `gbytes`: GB/s.
    """
    steps = facts["steps"]
    total = {key: sum(step[key] for step in steps) for key in ("ms", "flops", "bytes")}
    peak = facts["peak"]["gflops"]
    rows = []
    for step in (*steps, {"label": "total", **total}):
        ms = step["ms"]
        gflops = step["flops"] / ms / 1e6 if step["flops"] and ms else None
        rows.append({**step, "share": ms / total["ms"] if total["ms"] else None, "gflops": gflops,
                     "of_peak": gflops / peak if gflops else None,
                     "gbytes": step["bytes"] / ms / 1e6 if ms else None})
    return rows


def _print(facts: Facts) -> None:
    table(HEAD, [_row(step) for step in steps_of(facts)])
    whole, peak, each = facts["run"], facts["peak"], facts["each"]
    say(f"Each step: the {each['what']} of {each['count']}. "
        f"A whole run: first {whole['first_ms']:.2f} ms, then median "
        f"{whole['median_ms']:.2f} ms, min {whole['min_ms']:.2f} ms; "
        f"loaded in {whole['load_ms']:.1f} ms{_since(facts)}.")
    say(f"Machine peak: {peak['gflops']:.1f} GFLOP/s, {peak['what']}. "
        "MB: inputs, weights and outputs once each.")
    say(f"{facts['engine']}, build {facts['build']}. {facts['reason']}")


def _since(facts: Facts) -> str:
    if "device_first" not in facts:
        return ""
    return (" from bytes in memory, " +
            ("with a device that was ready" if facts["device_first"] else "the device included"))


def _row(step: Mapping[str, Any]) -> Sequence[str]:
    def per(value: float | None, factor: int = 1, unit: str = "") -> str:
        return "–" if value is None else f"{factor * value:.1f}{unit}"

    return [step["label"], f"{step['ms']:.3f}", per(step["share"], 100, " %"), per(step["gflops"]),
            per(step["of_peak"], 100, " %"), f"{step['bytes'] / 1e6:.2f}", per(step["gbytes"])]
