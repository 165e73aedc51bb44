"""Plain English where a machine can hold it; true paths and links in documents and comments."""

import ast
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from support.paths import ROOT

PACKAGE = ROOT / "plugin/onnxpress"
LISTED = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                        capture_output=True, text=True, check=True).stdout.split()
FILES = [path for path in map(ROOT.joinpath, sorted(LISTED)) if path.is_file()]
DOCUMENTS = [path for path in FILES if path.suffix == ".md" and "data" not in path.parts]
SOURCES = [path for path in FILES if path.suffix in (".py", ".js", ".mjs", ".ts", ".wgsl")]
MOST_WORDS = 35  # in a sentence

# Words that make a reader look back for the noun that they stand for.
RIDDLES = re.compile(r"\b(that|those) of\b|\bthose (that|which|who|with)\b|\bof what\b"
                     r"|\bwhat is had\b|\bcan be had\b|\bsuch as (has|have|is|are)\b"
                     r"|\bthat which\b", re.I)

# Where a path in a document may begin.
ROOTS = (ROOT, PACKAGE, PACKAGE / "runtime", ROOT / "plugin")
# Names of files that a reader has or makes, or that stand for many.
EXAMPLES = re.compile(
    r"^(a|bench|cats?|chart|index|inputs|manifest|net|out|package|proof|sitemap|sums|tint|verb_noun"
    r"|webgpu_dawn)\."
    r"|[A-Z]{3}|^(Node|core)\.js$|^(\.cache|assets|onnxpress-files|onnxpress|torch)/"
    r"|^(demos/(a|cat)|models/net)")
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


@cache
def comments(path: Path) -> tuple[str, ...]:
    """The docstrings and comments of a source file, each on one line."""
    return tuple(_comments(path))


def _comments(path: Path) -> Iterator[str]:
    text = path.read_text("utf-8")
    if path.suffix != ".py":
        for comment in re.findall(r"/\*.*?\*/|(?:^[ \t]*//[^\n]*\n)+|(?<!:)//[^\n]*", text,
                                  re.S | re.M):
            yield " ".join(re.sub(r"^[ \t]*(?:\*|//)", "", comment, flags=re.M).split())
        return
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, documented) and (docstring := ast.get_docstring(node)):
            yield " ".join(docstring.split())
    lines, last = [], 0
    for token in tokenize.generate_tokens(iter(text.splitlines(keepends=True)).__next__):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield " ".join(lines)
                lines = []
            lines.append(token.string.lstrip("# "))
            last = token.start[0]
    yield " ".join(lines)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_comments_name_things(path: Path) -> None:
    assert not [comment for comment in comments(path) if RIDDLES.search(comment)]


def test_paths_in_comments_exist() -> None:
    """A path may begin in any folder: `plan.py`, `programs/plan.py`."""
    tails = {"/".join(parts[i:]) for parts in (name(path).split("/") for path in FILES)
             for i in range(len(parts))}
    assert not {(name(path), found) for path in SOURCES for comment in comments(path)
                for found in re.findall(rf"(?<![\w/.*{{-])[\w/-]+\.(?:{SUFFIXES})\b", comment)
                if found not in tails and not EXAMPLES.search(found)}
