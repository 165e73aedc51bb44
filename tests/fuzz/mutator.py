"""What a mutator is, and how one of its cases ended."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onnxpress.limits import Limits

SHARED = "shared"
LIMITS = Limits(gigabytes=2, teraflop=0.01)  # of every build of a mutated file


@dataclass(frozen=True)
class Mutator:
    """One kind of hostile files. All functions get a folder.

    `spoil`: writes the files of a case and says what it did; all chances come from the generator.
    `run`: does with the files what onnxpress does. It may raise any OnnxPressError.
    `agree`: looks at a case outside of the watched process; a fault in words, or "".
    `warm`: brings into memory what every case needs. It may start no thread: the process is forked.
    `prepare`: fills the folder SHARED beside the folders of the cases, once.
    """

    name: str
    spoil: Callable[[random.Random, Path], str]
    run: Callable[[Path], None]
    agree: Callable[[Path], str] = lambda folder: ""
    warm: Callable[[], object] = lambda: None
    prepare: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Case:
    """Case `number` of a mutator. Equal cases have equal files on every machine."""

    mutator: Mutator
    seed: int
    number: int

    @property
    def name(self) -> str:
        return f"{self.mutator.name}-{self.seed}-{self.number}"

    @property
    def again(self) -> str:
        """The command that runs this case alone."""
        return f"make fuzz ONLY={self.mutator.name} SEED={self.seed} NUMBER={self.number}"

    def draw(self) -> random.Random:
        return random.Random(self.name)


@dataclass(frozen=True)
class Ending:
    """How a case ended. `what`: what was done to the files. `said`: the sentence of a refusal, or
    "". `fault`: which promise was broken, or "". `seconds` of the processor; `gigabytes`: the most
    memory held."""

    case: Case
    what: str
    said: str
    fault: str
    seconds: float
    gigabytes: float

    def __str__(self) -> str:
        return (f"{self.case.name}: {self.what}\n  {self.fault}\n  in {self.seconds:.1f} s and "
                f"{self.gigabytes:.1f} GB\n  again: {self.case.again}")
