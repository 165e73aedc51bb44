"""The proof of a pack that stands built: its files' hashes, and its golden check in wasmtime."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import PackError, ProofError
from .files import read_file
from .golden import draw
from .publish import published_packs
from .shards import read_weights
from .wasmtime_runner import WasmProgram


@dataclass(frozen=True, slots=True)
class Check:
    """A build's error on the golden inputs, in the manifest's metric."""

    build: str
    error: float
    tolerance: float


def find_packs(folder: Path) -> list[Path]:
    """The manifests in a folder that `compile` or `build` wrote.

    Raises:
        PackError: there is none.
    """
    single = folder / "manifest.json"
    found = [single] if single.is_file() else list(published_packs(folder).values())
    if not found:
        raise PackError(f"{folder}: there is no manifest.json and no demos/*.json here; "
                        "name a folder that onnxpress compile or build wrote")
    return found


def recheck(path: Path) -> list[Check]:
    """One row per WebAssembly build.

    Raises:
        PackError: a file is missing or is not what was published.
        ProofError: a program's numbers are off.
    """
    try:
        manifest = json.loads(path.read_text("utf-8"))
        golden, targets = manifest["golden"], manifest["targets"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PackError(f"{path}: this is not a manifest of onnxpress ({error})") from None
    files = {(target, build): read_file(entry, path.parent)
             for target, about in targets.items() for build, entry in about["files"].items()}
    weights = read_weights(manifest, path.parent)
    rows = []
    for (target, build), code in files.items():
        if target == "wasm":
            program = WasmProgram(code, targets["wasm"], weights)
            feeds = draw(manifest["inputs"], golden["ranges"])
            outputs = program.run(list(feeds.values()))
            rows.append(Check(f"wasm {build}", _error(golden, outputs), golden["tolerance"]))
    for row in rows:
        if not row.error <= row.tolerance:
            raise ProofError(f"{path}: {row.build} is off by {row.error:.3g}; "
                             f"{row.tolerance:.3g} is allowed")
    return rows


def _error(golden: Mapping[str, Any], outputs: list[np.ndarray]) -> float:
    worst = 0.0
    for want, got in zip(golden["outputs"], outputs, strict=True):
        values = np.asarray(want["values"], np.float64)
        difference = got[want["indices"]].astype(np.float64) - values
        if golden["metric"] == "l2":
            error = np.linalg.norm(difference) / (np.linalg.norm(values) or 1.0)
        else:
            error = np.abs(difference).max(initial=0.0) / (want["peak"] or 1.0)
        worst = max(worst, float(np.nan_to_num(error, nan=np.inf)))
    return worst
