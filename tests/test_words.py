"""Plain English where a machine can hold it; true paths and links in the documents."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

PACKAGE = ROOT / "plugin/onnxpress"
REWRITTEN = {"add-an-operator.md"}
DOCUMENTS = [path for path in sorted([*ROOT.glob("*.md"), *(ROOT / "demos").rglob("*.md")])
             if path.name not in REWRITTEN]
MOST_WORDS = 35  # in a sentence

# Words that make a reader look back for the noun that they stand for.
RIDDLES = re.compile(r"\b(that|those) of\b|\bthose (that|which|with)\b|\bof what\b|\bwhat is had\b"
                     r"|\bcan be had\b|\bsuch as (has|have|is|are)\b|\bthat which\b", re.I)

# Where a path in a document may begin.
ROOTS = (ROOT, PACKAGE, PACKAGE / "runtime", ROOT / "plugin")
# Names of files that a reader has or makes, or that stand for many.
EXAMPLES = re.compile(r"^(cats?|chart|inputs|manifest|out|sitemap|verb_noun)\.|[A-Z]{3}|^core\.js$"
                      r"|^(\.cache|assets|onnxpress-files|onnxpress)/|^(demos/cat|models/net)")
SUFFIXES = "py|js|mjs|md|yml|json|wgsl|html|css|toml|txt"


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[str]:
    """The paragraphs, list items, headings and table cells of Markdown, without code blocks."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"^( *)(`{3,}).*?^ *\2 *$", "", text, flags=re.S | re.M)
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*] |\d+\. |\|))", text):
        cells = block.split("|") if block.lstrip().startswith("|") else [block]
        yield from (" ".join(cell.split()) for cell in cells)


def plain(block: str) -> str:
    """Without markup; code and numbers stay as one word each."""
    block = re.sub(r"(`+).+?\1", "Code", block)
    block = re.sub(r"<[^>]+>|\*\*|^#+ |^(?:[-*]|\d+\.) ", "", block)
    return re.sub(r"!?\[([^]]*)\]\([^)]*\)", r"\1", block)


def sentences(block: str) -> list[str]:
    return re.split(r"(?<=[.!?])[\")*]*\s+(?=[\"(*]*[A-Z0-9])", block)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_documents_name_things(path: Path) -> None:
    found = [sentence for block in blocks(path.read_text("utf-8"))
             for sentence in sentences(plain(block)) if RIDDLES.search(sentence)]
    assert not found


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_sentences_can_be_read_once(path: Path) -> None:
    long = [f"{len(sentence.split())} words: {sentence}"
            for block in blocks(path.read_text("utf-8")) for sentence in sentences(plain(block))
            if len(sentence.split()) > MOST_WORDS]
    assert not long


def paths(text: str) -> Iterator[str]:
    """What looks like the path of a file or folder in inline code, outside code blocks."""
    for block in blocks(text):
        for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", block):
            if re.fullmatch(rf"[\w.-]+(/[\w.-]+)*(/|\.({SUFFIXES}))", code):
                yield code


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_paths_in_documents_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    missing = [code for code in paths(text)
               if not EXAMPLES.search(code) and not any((r / code).exists() for r in ROOTS)]
    links = [link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
             if not (path.parent / link).exists()]
    assert not missing + links


def test_links_to_words_have_an_entry() -> None:
    words = set(re.findall(r'<a id="([^"]+)"', (ROOT / "demos/about/words.md").read_text()))
    linked = {(name(path), word) for path in DOCUMENTS
              for word in re.findall(r"words\.md#([\w-]+)", path.read_text("utf-8"))}
    assert not {link for link in linked if link[1] not in words}
