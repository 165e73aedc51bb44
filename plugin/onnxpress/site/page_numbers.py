"""Facts of a manifest in words and rounded numbers, for pages and tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..targets import TARGETS
from ..tasks import TASKS
from ..weights.encodings import PLAIN
from ..words import count, exponent, flops, share, share_width, size

BUILDS = {"reference": "The graph in float64",
          **{build: title for t in TARGETS.values() for build, title in t.builds.items()}}


def facts_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes and counts for the section "How it was compiled"."""
    weights, statistics = manifest["weights"], manifest.get("statistics", {})
    targets = []
    for target in sorted(manifest["targets"], key=list(TARGETS).index):
        about = manifest["targets"][target]
        # A visit loads one build of a target.
        program = max(entry["bytes"] for entry in about["files"].values())
        targets.append({"title": TARGETS[target].title, "program": program,
                        "steps": len(about.get("steps", ())),
                        "download": program + weights["bytes"]})
    demo = manifest.get("demo", {})
    samples, inputs = len(demo.get("samples", ())), "random inputs"
    if samples:
        words = TASKS[demo["task"]].kind.words
        inputs += f" and on the {f'{samples} {words.many}' if samples > 1 else words.one}"
    return {
        "weights_bytes": weights["bytes"],
        "encoding": weights.get("encoding") or _main_encoding(weights["tensors"]),
        "tried": [_tried(row) for row in weights.get("tried", ())],
        "half": half_precision(manifest),
        "parameters": statistics.get("parameters", 0),
        "flops": statistics.get("flops", 0),
        "targets": targets,
        "inputs": inputs,
        "top1": any(row.get("same_top1") is not None for row in manifest["proof"]),
    }


def _main_encoding(tensors: Sequence[Mapping[str, Any]]) -> str:
    """The encoding of most bytes; biases and tables are always f32."""
    totals: dict[str, int] = {}
    for tensor in tensors:
        totals[tensor["encoding"]] = totals.get(tensor["encoding"], 0) + tensor["bytes"]
    return max(totals, key=totals.__getitem__, default=PLAIN)


def build(row: Mapping[str, Any]) -> str:
    """The title of a row of the proof."""
    named = BUILDS.get(row["target"]) or BUILDS.get(row["build"])
    return named or f"{row['target']} {row['build']}"


def required(row: Mapping[str, Any]) -> str:
    """The row's limit; with the figure, unless that is the largest error, which has its own column.
    """
    limit = row["limit"]
    match row["judged"]:
        case "psnr_db":
            return f"signal to noise {row['psnr_db']:.0f} dB, at least {limit:.0f} dB"
        case "cosine":
            return f"cosine {row['cosine']:.4f}, at least {limit:g}"
        case "iou":
            return f"shared area {row['iou']:.4f}, at least {limit:g}"
        case "relative_l2":
            return f"relative L2 {row['relative_l2']:.2g}, at most {limit:g}"
    return f"at most {exponent(limit)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure of the proof is written. `digits`: at least so many significant ones."""

    title: str
    digits: int
    more_is_better: bool
    write: Callable[[float, int], str]


def _general(value: float, digits: int) -> str:
    return f"{value:.{digits}g}"


FIGURES: Mapping[str, Figure] = {
    "psnr_db": Figure("PSNR", 3, True, lambda value, digits: f"{value:.{digits}g} dB"),
    "cosine": Figure("cosine", 4, True, _general),
    "iou": Figure("IoU", 4, True, _general),
    "relative_l2": Figure("relative L2", 2, False, _general),
    "max_error_over_peak": Figure("error", 2, False, exponent),
}


def _tried(row: Mapping[str, Any]) -> dict[str, Any]:
    """An encoding that was tried, and its figure in words."""
    return {"encoding": row["encoding"] + (f", {row['reason']}" if row["reason"] else ""),
            "bytes": row["bytes"], "figure": _figure(row), "holds": row["holds"]}


def _figure(row: Mapping[str, Any]) -> str:
    """'cosine 0.9729 < 0.999', with digits enough that a missed limit looks missed"""
    figure = FIGURES[row["judged"]]
    value, limit = row["value"], row["limit"]
    missed = value < limit if figure.more_is_better else value > limit
    digits = figure.digits
    while missed and _rounded(value, digits) == _rounded(limit, digits):
        digits += 1
    sign = {(True, True): "<", (True, False): "≥", (False, True): ">", (False, False): "≤"}
    words = (f"{figure.title} {figure.write(value, digits)} {sign[figure.more_is_better, missed]} "
             f"{figure.write(limit, digits)}")
    return words + (", another first class" if row["same_top1"] is False else "")


def _rounded(value: float, digits: int) -> float:
    """The value to so many significant digits."""
    return float(f"{value:.{digits - 1}e}")


def half_precision(manifest: Mapping[str, Any]) -> str:
    """A sentence on f16, or "" for a pack that says nothing about it."""
    facts = manifest.get("f16")
    if not facts or not facts["layer"]:
        return ""
    peak = f"{facts['peak']:,.0f}" if facts["peak"] >= 100 else f"{facts['peak']:.3g}"
    if "proof" in facts:
        figure = _figure({**facts["proof"], "value": facts["proof"][facts["proof"]["judged"]]})
        if facts["holds"]:
            return (f"Its values reach {peak} at most, in {facts['layer']}; "
                    f"a GPU with f16 keeps them in f16 ({figure}).")
        return f"Values kept in f16 would harm its results ({figure}); they stay in f32."
    if facts["holds"]:
        return (f"Its values reach {peak} at most, in {facts['layer']}; "
                "arithmetic in f16 could hold them.")
    return (f"Arithmetic in f16 could not hold {facts['layer']}, whose values reach {peak}; "
            "the model runs in f32.")


FILTERS: Mapping[str, Callable[..., str]] = {
    "size": size,
    "count": count,
    "flops": flops,
    "exponent": exponent,
    "share": share,
    "share_width": share_width,
    "build": build,
    "required": required,
}
