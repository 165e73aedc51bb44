"""Sentences: one plain line for whatever a stranger wrote and for whatever fails."""

import pytest
from onnxpress.errors import (
    LONGEST,
    TRACEBACK,
    FaultError,
    ModelError,
    SpecError,
    fault_at,
    plain,
    sentence,
    within,
)


@pytest.mark.parametrize("text, wanted", [
    ("a plain sentence; «ünï» 猫 🎈", "a plain sentence; «ünï» 猫 🎈"),
    ("two\nlines\r\n\ttabs ", "two lines tabs"),
    ("\x1b[2J\x1b]0;owned\x07name", "[2J ]0;owned name"),  # a terminal obeys ESC, not the rest
    ("right\u202eleft\u2028next\u200bline\ud800end", "right left next line end"),
    ("n\n::error file=x,line=1::pwned", "n : :error file=x,line=1: :pwned"),  # GitHub
    (":::", ": : :"),
    ("##[error]a ##vso[task.setvariable]b ##teamcity[c]",  # Azure, TeamCity
     "# #[error]a # #vso[task.setvariable]b # #teamcity[c]"),
])
def test_a_sentence_is_one_line_that_nothing_obeys(text: str, wanted: str) -> None:
    assert plain(text) == wanted == str(ModelError(text)) == plain(plain(text))


def test_a_sentence_is_short() -> None:
    """A name may have a million letters; the beginning says where, and the end what to do."""
    said = plain(f"net.onnx: {'n' * 1_000_000} is not supported; export the model without it")
    assert len(said) == LONGEST
    assert said.startswith("net.onnx: nnn") and said.endswith("export the model without it")
    assert plain("a" * LONGEST) == "a" * LONGEST


def test_every_exception_is_a_sentence() -> None:
    assert sentence(SpecError("a.yml:1: wrong")) == "a.yml:1: wrong"
    assert sentence(PermissionError(13, "Permission denied", "a\nb")) == "a b: Permission denied"
    assert "more memory than there is" in sentence(MemoryError())
    try:
        raise KeyError("x\n::error::")
    except KeyError as error:
        said = sentence(error)
    assert said.startswith("unexpected KeyError (test_errors.py:") and "::" not in said
    assert said.endswith(f"please report it, with what {TRACEBACK}=1 shows")


def test_a_sentence_says_where_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"^a\.yml: wrong$"), within("a.yml"):
        raise SpecError("wrong")
    with pytest.raises(SpecError, match=r"^a\.yml:3: wrong$"), within("a.yml"):
        raise SpecError("a.yml:3: wrong")
    with pytest.raises(ModelError, match=r"^as it is$"), fault_at("Conv"):
        raise ModelError("as it is")
    with pytest.raises(FaultError, match=r'^a\.yml: Conv "c": unexpected ZeroDivisionError'), \
            within("a.yml"), fault_at('Conv "c"'):
        print(1 / 0)  # noqa: T201
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(ZeroDivisionError), within("a.yml"):
        print(1 / 0)  # noqa: T201
