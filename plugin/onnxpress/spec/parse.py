"""Spec text and model cards -> Demo and Card.

A card gives defaults (where the model comes from, how its input is made); a spec overrides them.
The schemas (see schema.py) say what is admitted; this file and sections.py add what a schema
cannot say.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import SpecError, did_you_mean
from ..kinds import KINDS
from ..targets import TARGETS
from ..tasks import TASKS
from ..tasks.base import Task
from ..weights.encodings import AUTO
from .check import check
from .files import Rules, local_path, package_path, python_reference
from .sections import Merged, read_controls, read_labels
from .text import MAX_BYTES, Tree, read_yaml
from .values import Card, Demo, Sample, Source

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Another YAML file of the site, such as an API's description, has neither field at its top.
DEMO = re.compile(rb"""\A\s*\{|^["']?(?:task|model)["']?\s*:""", re.MULTILINE)
FILES = (".onnx", ".tflite", ".py")


def is_demo(path: Path) -> bool:
    """Whether the YAML file says that it is a demo. One that cannot be read counts as one, so that
    reading it tells why."""
    try:
        return DEMO.search(path.read_bytes()[:MAX_BYTES]) is not None
    except OSError:
        return True


def load_demo(path: Path, models: Path, where: str | None = None,
              rules: Rules | None = None) -> Demo:
    """The demo that the spec file holds; `models` is the folder of cards, labels and recipes.
    `rules`: what it may name; by default, files in its own folder or where `models` is.

    Raises:
        SpecError: file, line, and what to write instead.
    """
    where = where or path.as_posix()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{where}: the spec cannot be read ({error.strerror})") from None
    return parse_demo(data, path.stem, models, base=path.parent, where=where, rules=rules)


def parse_demo(text: str | bytes, name: str, models: Path, *, base: Path, where: str,
               first_line: int = 1, rules: Rules | None = None) -> Demo:
    """The demo that `text` holds; its relative paths start at `base`. `rules`: see `load_demo`."""
    if not NAME.fullmatch(name):
        raise SpecError(f'{where}: "{name}" cannot be part of a web address; '
                        "use letters, digits, - and _")
    tree = read_yaml(text, where, first_line)
    check(tree, "demo")
    task = TASKS[tree.value["task"]]
    rules = rules or Rules.around(models, base)
    card, card_tree = _card_of(tree, models, base, rules)
    texts = (models / "labels", base)
    value = tree.value
    merged = Merged(tree, card_tree)
    labels = merged.section("labels")
    options = {kind.name: kind.given.read(merged.fields(kind.given.section))
               for kind in KINDS.values() if kind.given}
    return Demo(
        name=name,
        where=where,
        title=value["title"],
        task=value["task"],
        card=_with_prose(card, value),
        description=value.get("description") or card.description,
        shapes={k: tuple(map(int, v)) for k, v in merged.mapping("shapes").items()},
        input=options.get(task.kind.name),
        output=task.read(merged.task_fields(task)),
        labels=read_labels(labels, texts, rules) if labels else (),
        samples=_samples(tree, task, base, rules),
        weights=value.get("weights", AUTO),
        simplify=value.get("simplify", True),
        targets=tuple(t for t in TARGETS if t in value.get("targets", TARGETS)),
        threads=value.get("threads", "auto"),
        loading=value.get("loading", "click"),
        controls=read_controls(tree, card_tree, texts, rules),
    )


def load_card(path: Path, where: str | None = None) -> Card:
    """The card in the file.

    Raises:
        SpecError: file, line, and what to write instead.
    """
    return _read_card(path, where or path.as_posix(), Rules.around(path.parent))[0]


def _read_card(path: Path, where: str, rules: Rules) -> tuple[Card, Tree]:
    try:
        tree = read_yaml(path.read_bytes(), where)
    except OSError as error:
        raise SpecError(f"{where}: the card cannot be read ({error.strerror})") from None
    check(tree, "card")
    value = tree.value
    sources, bases = value["source"], (path.parent, path.parent.parent)
    if isinstance(sources, dict):
        parsed = (_source(tree, ("source",), bases, rules),)
    else:
        parsed = tuple(_source(tree, ("source", i), bases, rules) for i in range(len(sources)))
    prose = {k: value[k] for k in
             ("title", "description", "author", "homepage", "licence", "licences", "citation",
              "limits") if k in value}
    return Card(name=path.stem, sources=parsed, **prose), tree


def _card_of(tree: Tree, models: Path, base: Path, rules: Rules) -> tuple[Card, Tree | None]:
    """The card that `model` names, or one made from a source written in the spec."""
    model = tree.value["model"]
    at, bases = tree.at(("model",)), (base, models.parent)
    if isinstance(model, dict):
        source = _source(tree, ("model",), bases, rules)
        name = source.url or source.package or source.python or "model"
        return Card(Path(name).stem, "", (source,)), None
    if "://" in model:
        raise SpecError(f"{at}: model: a model from the web needs its sha256; "
                        f"write model: {{url: {model}, sha256: …}}")
    if model.startswith("package:"):
        reference = model.removeprefix("package:")
        package_path(reference, f"{at}: model")
        return Card(Path(reference).stem, "", (Source(at, package=reference),)), None
    name, function = python_reference(model)
    if name.endswith(FILES):
        file = local_path(name, bases, f"{at}: model", rules)
        source = (Source(at, python=rules.admit_recipe(file, f"{at}: model"), function=function)
                  if name.endswith(".py") else Source(at, file=file))
        return Card(file.stem, "", (source,)), None
    path = models / f"{model}.yml"
    if not NAME.fullmatch(model) or not path.is_file():
        known = sorted(p.stem for p in models.glob("*.yml"))
        hint = did_you_mean(model, known) or f" Cards there: {', '.join(known) or 'none'}"
        raise SpecError(f'{at}: model: there is no card "{model}" in {models.name}/.{hint}')
    where = f"{models.name}/{path.name}"
    # A card's recipe is code of the site, so it may serve a spec inside a page as well.
    return _read_card(rules.admit(path, where), where, replace(rules, own_recipes=True))


def _source(tree: Tree, path: tuple[str | int, ...], bases: tuple[Path, ...],
            rules: Rules) -> Source:
    value = tree.value
    for part in path:
        value = value[part]
    at = f"{tree.at(path)}: {path[0]}"
    kinds = [k for k in ("url", "package", "file", "python") if k in value]
    if len(kinds) != 1:
        raise SpecError(f"{at}: name exactly one of url, package, file and python"
                        + (f", not {' and '.join(kinds)}" if kinds else ""))
    if kinds == ["url"] and "sha256" not in value:
        raise SpecError(f"{at}: sha256 is missing; a file from the web must be pinned")
    if kinds != ["python"] and value.keys() & {"arguments", "weights"}:
        raise SpecError(f"{at}: only python takes arguments and weights")
    fields: dict[str, Any] = dict(value)
    if "file" in fields:
        fields["file"] = local_path(fields["file"], bases, at, rules)
    if "python" in fields:
        name, fields["function"] = python_reference(fields["python"])
        fields["python"] = rules.admit_recipe(local_path(name, bases, at, rules), at)
    if "weights" in fields:
        fields["weights"] = _source(tree, (*path, "weights"), bases, rules)
    return Source(where=tree.at(path), **fields)


def _with_prose(card: Card, value: Mapping[str, Any]) -> Card:
    own = {k: value[k] for k in ("licence", "licences", "citation", "limits") if k in value}
    return replace(card, title=card.title or value["title"], **own)


def _samples(tree: Tree, task: Task, base: Path, rules: Rules) -> tuple[Sample, ...]:
    """The samples of the task's kind.

    Raises:
        SpecError: a sample is of another kind, or its file is not there.
    """
    fields = {kind.given.field: kind for kind in KINDS.values() if kind.given}
    samples, given = tree.value.get("samples", ()), task.kind.given
    for sample in samples:
        kinds = [kind for field, kind in fields.items() if field in sample]
        if kinds != [task.kind]:
            wrong = next((kind.words.many for kind in kinds if kind != task.kind), "samples")
            raise SpecError(f"{tree.at(('samples',))}: samples: task {task.name} takes no {wrong}")
    if given is None:
        return ()
    return tuple(_sample(tree, given.field, i, base, rules) for i in range(len(samples)))


def _sample(tree: Tree, field: str, index: int, base: Path, rules: Rules) -> Sample:
    """A sample of the kind whose `field` names the file."""
    value = dict(tree.value["samples"][index])
    reference = value.pop(field)
    where = f"{tree.at(('samples', index, field))}: samples[{index + 1}].{field}"
    if reference.startswith("package:"):
        return Sample(package_path(reference.removeprefix("package:"), where), where=where, **value)
    return Sample(local_path(reference, base, where, rules), where=where, **value)
