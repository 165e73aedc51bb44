"""The sections of a spec that lie over the same sections of its card."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import SpecError, did_you_mean
from ..kinds.base import Fields
from ..tasks.base import Task
from .files import Rules, read_lines
from .text import Tree
from .values import Control


class Merged:
    """Fields of the spec over the card's; `at` is where a field was written."""

    def __init__(self, spec: Tree, card: Tree | None) -> None:
        self.trees = [t for t in (card, spec) if t]

    def section(self, key: str) -> tuple[Any, Tree] | None:
        """The value of the spec's field, else the card's, with the tree it stands in."""
        for tree in reversed(self.trees):
            if key in tree.value:
                return tree.value[key], tree
        return None

    def mapping(self, key: str) -> dict[str, Any]:
        return {k: v for tree in self.trees for k, v in tree.value.get(key, {}).items()}

    def fields(self, key: str) -> Fields:
        """A section for the kind or task that reads it."""
        return Fields(self.mapping(key), partial(self.at, key))

    def task_fields(self, task: Task) -> Fields:
        """What the sections `output` and `view` say to a task. Other tasks' options stay out: a
        card has the options of its usual task, and serves others too."""
        places = {"output": "output", **dict.fromkeys(task.output, "output"),
                  **dict.fromkeys(task.view, "view")}
        values = {key: section[key] for key, place in places.items()
                  if key in (section := self.mapping(place))}
        return Fields(values, lambda key: self.at(places[key], key))

    def at(self, key: str, inner: str) -> str:
        for tree in reversed(self.trees):
            if inner in tree.value.get(key, {}):
                return f"{tree.at((key, inner))}: {key}.{inner}"
        return self.trees[-1].where


def read_labels(section: tuple[Any, Tree], folders: Sequence[Path], rules: Rules,
                path: tuple[str, ...] = ("labels",)) -> tuple[str, ...]:
    """The labels that the section lists, or the lines of its file in one of `folders`."""
    value, tree = section
    if isinstance(value, list):
        return tuple(value)
    return read_lines(value, folders, f"{tree.at(path)}: {'.'.join(path)}", rules)


def read_controls(tree: Tree, card: Tree | None, folders: Sequence[Path], rules: Rules
                  ) -> tuple[Control, ...]:
    """The controls of the spec over the card's; `folders` have the files of their options."""
    found: dict[str, Control] = {}
    places = [(card, ("controls",))] if card else []
    for source, path in (*places, (tree, ("view", "controls"))):
        section: Any = source.value
        for part in path:
            section = section.get(part, {})
        for name, value in section.items():
            here = (*path, name)
            fields = {"label": name, **value}
            if "options" in value:
                section_of = (value["options"], source)
                fields["options"] = read_labels(section_of, folders, rules, (*here, "options"))
            found[name] = _control(name, fields, f"{source.at(here)}: {'.'.join(here)}")
    return tuple(found.values())


NEEDED = {"blend": "options", "slider": "value", "constant": "values"}


def _control(name: str, fields: dict[str, Any], at: str) -> Control:
    needed = NEEDED[fields["kind"]]
    if needed not in fields:
        raise SpecError(f"{at}: a {fields['kind']} needs {needed}")
    if "initial" in fields:
        options = fields.get("options", ())
        if fields["initial"] not in options:
            raise SpecError(f'{at}.initial: there is no option "{fields["initial"]}".'
                            f"{did_you_mean(fields['initial'], options)}")
        fields["initial"] = options.index(fields["initial"])
    if "values" in fields:
        fields["values"] = tuple(map(float, fields["values"]))
    control = Control(input=name, **fields)
    if control.kind == "slider" and not control.min <= control.value <= control.max:
        raise SpecError(f"{at}: the value {control.value:g} is not between min {control.min:g} "
                        f"and max {control.max:g}")
    return control
