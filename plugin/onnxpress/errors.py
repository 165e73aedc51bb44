"""One exception per stage of the compiler. Every message says where, what, and what instead."""

from difflib import get_close_matches


class OnnxPressError(Exception):
    """The base of every error that a person can mend. Any other exception is a bug."""


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


def did_you_mean(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """' Did you mean "x"?' with the known word nearest to `word`; empty if none is near."""
    near = get_close_matches(str(word), list(known), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""
