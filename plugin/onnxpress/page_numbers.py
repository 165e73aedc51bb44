"""Numbers of a manifest as a reader wants them."""

from collections.abc import Callable, Mapping
from typing import Any

TITLES = {"webgpu": "WebGPU", "wasm": "WebAssembly", "js": "JavaScript"}
JUDGED = {"max_error_over_peak": "largest error at most", "relative_l2": "relative error at most",
          "cosine": "same class, cosine at least", "psnr_db": "signal to noise in dB at least"}


def facts_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes and counts for the section "How it was compiled"."""
    weights, statistics = manifest["weights"], manifest.get("statistics", {})
    targets = []
    for target in sorted(manifest["targets"], key=list(TITLES).index):
        about = manifest["targets"][target]
        # A visit loads one build of a target.
        program = max(entry["bytes"] for entry in about["files"].values())
        targets.append({"title": TITLES[target], "program": program,
                        "steps": len(about.get("steps", ())),
                        "download": program + weights["bytes"]})
    samples = len(manifest.get("demo", {}).get("samples", ()))
    inputs = "random inputs" + (f" and the {samples} pictures" if samples > 1 else
                                " and the picture" if samples else "")
    return {
        "weights_bytes": weights["bytes"],
        "encodings": sorted({t["encoding"] for t in weights["tensors"]}) or ["f32"],
        "parameters": statistics.get("parameters", 0),
        "flops": statistics.get("flops", 0),
        "targets": targets,
        "inputs": inputs,
        "top1": any(row.get("same_top1") is not None for row in manifest["proof"]),
    }


def size(count: int) -> str:
    """'18.8 MB'"""
    if count < 1e3:
        return f"{count} B"
    return f"{round(count / 1e3)} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def count(number: int) -> str:
    """'4.65 million'"""
    if number < 1e4:
        return f"{number:,}"
    return f"{number / 1e6:.3g} million" if number >= 1e6 else f"{round(number / 1e3)} thousand"


def flops(number: int) -> str:
    return f"{number / 1e9:.2f} GFLOP" if number >= 1e8 else f"{number / 1e6:.1f} MFLOP"


def exponent(value: float) -> str:
    """'1.2e-6', or 0"""
    if not value:
        return "0"
    digits, _, power = f"{value:.1e}".partition("e")
    return f"{digits}e{int(power)}"


FILTERS: Mapping[str, Callable[..., str]] = {
    "size": size,
    "count": count,
    "flops": flops,
    "exponent": exponent,
    "share": lambda value: f"{100 * value:.1f} %",
    "share_width": lambda value: f"{100 * min(max(value, 0), 1):.2f}%",
    "judged": lambda name: JUDGED[name],
}
