"""One exception per stage of the compiler. Every message says where, what, and what instead.

OnnxPressError
├── SpecError          demos/*.yml and models/*.yml
├── ModelError         the model file cannot be fetched, read or given static shapes
│   └── UnavailableError   its source cannot be reached now; another source may serve
├── UnsupportedError   the model is sound, but this compiler cannot run it
├── PassError          a pass left a graph that does not check
├── PlanError          no complete plan exists for a target
├── PackError          a pack cannot be written or read
├── ProofError         a pack's numbers differ from the reference
└── BrowserError       no Chromium starts, or the module it ran threw
"""

from difflib import get_close_matches


class OnnxPressError(Exception):
    """The base of every error that a person can mend. Any other exception is a bug."""


class SpecError(OnnxPressError):
    pass


class ModelError(OnnxPressError):
    pass


class UnavailableError(ModelError):
    pass


class UnsupportedError(OnnxPressError):
    pass


class PassError(OnnxPressError):
    pass


class PlanError(OnnxPressError):
    pass


class PackError(OnnxPressError):
    pass


class ProofError(OnnxPressError):
    pass


class BrowserError(OnnxPressError):
    """`code`: the `code` of the JavaScript Error that was thrown, if it has one."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


def did_you_mean(word: str, known: "list[str] | tuple[str, ...]") -> str:
    """' Did you mean "x"?' with the known word nearest to `word`; empty if none is near."""
    near = get_close_matches(str(word), list(known), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""
