"""One exception per stage of the compiler. Every message says where, what, and what instead.

Strangers write the names in models and specs. So every sentence goes through `plain`.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from traceback import extract_tb

LONGEST = 300  # characters of a sentence
TAIL = 120  # of them at its end, where the advice is
TRACEBACK = "ONNXPRESS_TRACEBACK"  # a variable that shows where an unexpected error arose
# What begins a command to the runner of a CI, in some or all places of a line.
COMMANDS = re.compile(r":(?=:)|#(?=#(?:\[|vso|teamcity))")


def plain(text: object) -> str:
    """`text` as one line of at most LONGEST characters that no terminal and no CI obeys."""
    words = str(text)
    if len(words) > 4 * LONGEST:  # a name may have a million letters
        words = f"{words[: 2 * LONGEST]}…{words[-2 * LONGEST :]}"
    words = "".join(c if c.isprintable() else " " for c in words)
    words = COMMANDS.sub(r"\g<0> ", " ".join(words.split()))
    return words if len(words) <= LONGEST else f"{words[: LONGEST - TAIL - 1]}…{words[-TAIL:]}"


class OnnxPressError(Exception):
    """The base of every error that a person can mend. Its message is one plain sentence."""

    def __init__(self, message: str = "") -> None:
        super().__init__(plain(message))


class FaultError(OnnxPressError):
    """Something failed that should not: a fault of onnxpress itself, or a lack of memory."""


class SpecError(OnnxPressError):
    """A file of demos/*.yml or models/*.yml is wrong."""


class ModelError(OnnxPressError):
    """The model file cannot be fetched, read or given static shapes."""


class UnavailableError(ModelError):
    """A model's source cannot be reached now; another source may serve."""


class UnsupportedError(OnnxPressError):
    """The model is sound, but this compiler cannot run it."""


class PassError(OnnxPressError):
    """A pass left a graph that does not check."""


class PlanError(OnnxPressError):
    """No complete plan exists for a target."""


class PackError(OnnxPressError):
    """A pack cannot be written or read."""


class ProofError(OnnxPressError):
    """A pack's numbers differ from the reference."""


class BrowserError(OnnxPressError):
    """No Chromium starts, or the module that it ran threw.

    `code`: the `code` of the JavaScript Error that was thrown, if it has one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


def sentence(error: BaseException) -> str:
    """One sentence for any exception: what is wrong, or which fault of onnxpress this is."""
    if isinstance(error, OnnxPressError):
        return str(error)
    if isinstance(error, MemoryError):
        return "this takes more memory than there is; use a smaller model, or smaller inputs"
    if isinstance(error, OSError) and error.strerror:
        return plain(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    frames = extract_tb(error.__traceback__)
    at = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return plain(f"unexpected {type(error).__name__}{at}: {plain(error) or 'no message'}"
                 f"; please report it, with what {TRACEBACK}=1 shows")


@contextmanager
def fault_at(where: str) -> Iterator[None]:
    """An exception inside that nobody expected becomes a sentence that begins with `where`.

    Raises:
        FaultError: such an exception was raised.
    """
    try:
        yield
    except OnnxPressError:
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        raise FaultError(f"{where}: {sentence(error)}") from error


@contextmanager
def within(where: str) -> Iterator[None]:
    """Any exception inside becomes a sentence that begins with `where`.

    Raises:
        OnnxPressError: an exception was raised.
    """
    try:
        with fault_at(where):
            yield
    except OnnxPressError as error:
        if str(error).startswith(plain(where)):
            raise
        raise type(error)(f"{where}: {error}") from error


def did_you_mean(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """' Did you mean "x"?' with the known word nearest to `word`; empty if none is near."""
    near = get_close_matches(str(word), list(known), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""
