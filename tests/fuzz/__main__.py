"""`make fuzz SECONDS=60`: mutated files against what ARCHITECTURE.md and SECURITY.md promise."""

import argparse
import itertools
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from support.paths import ROOT

from . import MUTATORS
from .mutator import Case, Ending
from .runner import run

KEPT = ROOT / ".cache/fuzz"  # the files of the faults


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """One case of each mutator in turn, until the time is over."""
    end = time.monotonic() + options.seconds
    named = [options.only] if options.only else list(MUTATORS)
    first, count = options.number or 0, options.count
    for number in itertools.count(first) if count is None else range(first, first + count):
        for name in named:
            if time.monotonic() > end:
                return
            yield Case(MUTATORS[name], options.seed, number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=MUTATORS, help="one mutator")
    parser.add_argument("--number", type=int, help="the first case")
    parser.add_argument("--count", type=int, help="how many cases of each; the files of one stay")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    endings = []
    with TemporaryDirectory(prefix="onnxpress-fuzz-") as folder:
        for ending in run(cases(options), Path(folder), options.jobs):
            endings.append(ending)
            if ending.fault or options.count == 1:
                sys.stdout.write(f"{ending}\n  said: {ending.said}\n")
                keep(Path(folder, ending.case.name))
                sys.stdout.flush()
    for name in MUTATORS:
        sys.stdout.write(summary(name, [e for e in endings if e.case.mutator.name == name]))
    return 1 if any(e.fault for e in endings) else 0


def keep(folder: Path) -> None:
    """Moves the files of a fault to KEPT."""
    if folder.is_dir():
        KEPT.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(KEPT / folder.name, ignore_errors=True)
        shutil.move(folder, KEPT / folder.name)
        sys.stdout.write(f"  files: {(KEPT / folder.name).relative_to(ROOT)}\n")


def summary(name: str, endings: list[Ending]) -> str:
    if not endings:
        return ""
    counts = Counter("fault" if e.fault else "sentence" if e.said else "done" for e in endings)
    slowest, largest = max(e.seconds for e in endings), max(e.gigabytes for e in endings)
    return (f"{name}: {len(endings)} cases; {counts['done']} done, {counts['sentence']} refused "
            f"with a sentence, {counts['fault']} faults; at most {slowest:.1f} s of the processor "
            f"and {largest:.2f} GB\n")


if __name__ == "__main__":
    sys.exit(main())
