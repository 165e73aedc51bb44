"""Demo + manifest -> HTML: the element with its poster, and the facts about the model.

Jinja's autoescape escapes every text of a spec. Readers need no JavaScript for anything here.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from ..build.builds import Built
from ..manifest.demo import Demo as DemoFacts
from ..manifest.sheet import Sheet
from ..spec import Source
from ..tasks import TASKS
from ..tasks.base import Draw
from .page_numbers import FILTERS, facts_of
from .sheet_words import key_figure, sheet_words

TEMPLATES = Path(__file__).parent / "templates"
IMAGE = Markup('<img src="{src}" alt="{alt}" width="{width}" height="{height}">')


def element(name: str, demo: DemoFacts, base: str | None,
            carried: Mapping[str, str] = {}) -> Markup:
    """`<onnx-demo>` with its poster.

    `base`: the assets folder's URL, relative to the page, with a slash at the end. It is None where
    the page's place is unknown. Then the element finds the pack by its name beside onnxpress.js,
    and the poster has no pictures. `carried`: picture name -> its data: URL.
    """
    def draw(url: str, alt: str, size: tuple[int, int]) -> Markup:
        return Markup() if base is None else IMAGE.format(
            src=carried.get(url) or f"{base}demos/{url}", alt=alt, width=size[0], height=size[1])

    return _render("element.html", base=base, name=name, loading=demo.loading or "click",
                   sample=demo.samples[0] if demo.samples else None, note=demo.weights_note,
                   poster=_poster(demo, draw), empty=TASKS[demo.task.name].kind.words.empty)


def poster_pictures(demo: DemoFacts) -> list[str]:
    """The names of the pictures that stand in the page itself."""
    found: list[str] = []

    def note(url: str, alt: str, size: tuple[int, int]) -> Markup:
        found.append(url)
        return IMAGE

    _poster(demo, note)
    return found


def _poster(demo: DemoFacts, draw: Draw) -> Markup:
    """The first sample as its task draws it."""
    poster = TASKS[demo.task.name].poster
    return poster(demo.samples[0], draw) if poster and demo.samples else Markup()


def bench(built: Built, base: str) -> Markup:
    """`<onnx-bench>` and the script that defines it. `base` as in `element`."""
    return _render("visitor_bench.html", base=base, name=built.demo.name, title=built.demo.title)


def message(text: str) -> Markup:
    """The box that stands in place of a demo that cannot be shown."""
    return _render("message.html", text=text)


def lead(built: Built) -> Markup:
    """The demo's description, a paragraph each."""
    paragraphs = [p.strip() for p in built.demo.description.split("\n\n") if p.strip()]
    return _render("lead.html", paragraphs=paragraphs)


def compiled(built: Built, sheet: Sheet | None = None, link: str = "") -> Markup:
    """Sizes, proof and notes, and one line of the proof sheet, whose page is at `link`. No sheet:
    the page itself holds the pack."""
    manifest = built.manifest
    return _render("compiled.html", model=built.demo.card, facts=facts_of(manifest),
                   proof=manifest.proof, notes=manifest.notes, carried=sheet is None,
                   link=link, figure=key_figure(sheet) if sheet else "")


def proof(sheet: Sheet, base: str) -> Markup:
    """The whole proof sheet. `base` as in `element`."""
    return _render("proof.html", sheet=sheet, words=sheet_words(sheet), base=base)


def proof_title(title: str) -> str:
    """The title of the page of a proof sheet."""
    return f"Proof sheet: {title}"


def model(built: Built) -> Markup:
    """The model card, the samples' licences, and the promise about a visitor's own."""
    card = built.demo.card
    return _render("model.html", model=card, sources=[_source(s) for s in card.sources],
                   samples=built.shown.samples,
                   words=TASKS[built.demo.task].kind.words)


def gallery(builts: Iterable[Built], base: str, hrefs: Mapping[str, str]) -> Markup:
    """One box per demo, which links to `hrefs[name]`."""
    cards = []
    for built in builts:
        samples = built.shown.samples
        facts = facts_of(built.manifest)
        cards.append({
            "href": hrefs[built.demo.name],
            "title": built.demo.title,
            "description": built.demo.description.split("\n\n")[0],
            "picture": samples[0].card if samples else None,
            "facts": " · ".join((
                FILTERS["size"](facts.weights_bytes),
                *(("untrained weights",) if built.shown.weights_note else ()),
                *(row.title for row in facts.targets))),
        })
    return _render("gallery.html", base=base, cards=cards)


def standalone(built: Built, base: str, sheet: Sheet, link: str) -> str:
    """A whole HTML page, for `onnxpress build`. `link`: the page of the sheet."""
    return _render("standalone.html", title=built.demo.title, base=base,
                   body=_body(built, base, sheet=sheet, link=link))


def standalone_proof(sheet: Sheet, base: str, back: str) -> str:
    """A whole HTML page with a proof sheet; `back`: the demo's page."""
    body = Markup('<p><a href="{}">{}</a></p>').format(back, sheet.title) + proof(sheet, base)
    return _render("standalone.html", title=proof_title(sheet.title), base=base, body=body)


def chart(facts: Mapping[str, Any], steps: Iterable[Mapping[str, Any]]) -> str:
    """A whole HTML page with the results of `onnxpress bench`. `steps`: with shares and rates; the
    last one is the sum."""
    *rows, total = steps
    return _render("bench.html", facts=facts, steps=rows, total=total,
                   longest=max((row["ms"] for row in rows), default=0))


def one_file(built: Built, pictures: Mapping[str, str], **parts: Any) -> str:
    """A whole HTML page that needs no other file, for `onnxpress export`.

    `pictures`: the poster's pictures, name -> data: URL. `parts`: further values of
    site/templates/export.html.
    """
    return _render("export.html", title=built.demo.title, body=_body(built, "", pictures), **parts)


def _body(built: Built, base: str, pictures: Mapping[str, str] | None = None,
          sheet: Sheet | None = None, link: str = "") -> Markup:
    """`pictures`: the poster's data: URLs, in a page that holds the pack."""
    return Markup("\n").join((
        lead(built), element(built.demo.name, built.shown, base, pictures or {}),
        Markup("<h2>How it was compiled</h2>"), compiled(built, sheet, link),
        Markup("<h2>The model</h2>"), model(built)))


def _source(source: Source) -> dict[str, Any]:
    words = ""
    if source.package:
        words = f"the Python package {source.package.partition('/')[0]}"
    elif source.file:
        words = f"the file {source.file.name}"
    elif source.python:
        kind = "" if source.trained else ", seeded weights"
        words = f"the recipe {source.python.name}{kind}"
    pinned = source.weights or source
    return {"url": source.url, "words": words, "sha256": pinned.sha256}


def _render(template: str, **values: Any) -> Markup:
    return Markup(_environment().get_template(template).render(**values))


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(FILTERS)
    return environment
