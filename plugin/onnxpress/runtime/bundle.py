"""The browser runtime's modules -> few files, as each request costs a visitor a round trip.

What is loaded by itself stays a file under its own name, with all that it imports; what two or
more of those share is part of the first. A module becomes a function's scope whose result is an
object of its exports, so names may repeat. Comments stay in the source: they are a quarter of it.
The runtime's own style of modules is all that is understood, with comments on lines of their own,
but for casts:

    import { a, b as c } from "./x.js";      export { a } from "./x.js";      export { a, b as c };
    export function | async function | class | const NAME ...
    return /** @type {Type} */ (value);

and no cycles.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from posixpath import dirname, join, normpath, relpath

# How one file of the runtime names another that it loads later, or not at all as a script.
LINK = re.compile(r'(import\(|new URL\()"(\.\.?/[^"]+)"')

_COMMENT = ("/*", "*", "//")  # at the start of a line
_CAST = re.compile(r"/\*\* @type \{[^*\n]*\} \*/ ")  # a type for the checker alone
_BEHIND = re.compile(r"^[ \t]*/?\*.*\*/[ \t]*\S.*", re.MULTILINE)  # code behind a comment
_IMPORT = re.compile(r'^(import|export) \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_LIST = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:(?:async )?function\*?|class|const) (\w+))", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


@dataclass(frozen=True)
class Module:
    """`body` without imports and exports; `uses`: (module, the pattern that takes its exports
    apart); `gives`: export -> expression; `later`: modules that it loads when it runs."""

    name: str
    body: str
    uses: Sequence[tuple[str, str]]
    gives: Mapping[str, str]
    later: Sequence[str]

    @property
    def needs(self) -> list[str]:
        return [name for name, _ in self.uses]


def bundle(texts: Mapping[str, str], pages: Sequence[str], tools: Iterable[str] = ()
           ) -> dict[str, str]:
    """File name -> text of every script that the `pages` and the `tools` load, at once or later.

    `texts`: path -> text of all modules. Code that only `tools` need is not part of the pages'
    scripts.

    Raises:
        ValueError: a module is written in another style.
    """
    modules = {name: read_module(name, text) for name, text in texts.items()}
    entries = _entries(modules, pages)
    count = Counter(name for entry in entries for name in _reached(modules, entry, entries))
    homes = {name: name if name in entries else pages[0] for name, n in count.items() if n > 1}
    shared, files = [name for name in homes if name not in entries], {}
    for entry in (*entries, *tools):
        own = [n for n in _reached(modules, entry, {*entries, *tools}) if n not in homes]
        files[entry] = list(dict.fromkeys([*own, entry]))
        homes |= dict.fromkeys(files[entry], entry)
    files[pages[0]] = shared + files[pages[0]]
    return {name: _file(name, content, modules, homes) for name, content in files.items()}


def read_module(name: str, text: str) -> Module:
    """One module of the runtime. Raises: ValueError, where it is written in another style."""
    uses, gives = [], {}

    def take(match: re.Match[str]) -> str:
        other = normpath(join(dirname(name), match[3]))
        if match[1] == "import":
            uses.append((other, ", ".join(f"{own}: {n}" if own != n else n
                                          for own, n in _pairs(match[2]))))
        else:
            uses.append((other, ""))
            gives.update({n: f"{_variable(other)}.{own}" for own, n in _pairs(match[2])})
        return ""

    def give(match: re.Match[str]) -> str:
        gives.update({n: own for own, n in _pairs(match[1])})
        return ""

    code = "".join(line for line in text.splitlines(keepends=True)
                   if not line.lstrip().startswith(_COMMENT))
    body = _EXPORT.sub(give, _LIST.sub(give, _IMPORT.sub(take, _CAST.sub("", code))))
    if other := _BEHIND.search(text) or _OTHER.search(body):
        raise ValueError(f"{name}: {other[0]}: not among the forms that runtime/bundle.py knows")
    later = [normpath(join(dirname(name), match[2])) for match in LINK.finditer(body)]
    return Module(name, body, uses, gives, later)


def _entries(modules: Mapping[str, Module], pages: Iterable[str]) -> dict[str, None]:
    """The modules that scripts are loaded by, in the order that they are found."""
    entries = dict.fromkeys(pages)
    waiting = list(entries)
    while waiting:
        for name in _reached(modules, waiting.pop(), ()):
            found = [n for n in modules[name].later if n in modules and n not in entries]
            entries |= dict.fromkeys(found)
            waiting += found
    return entries


def _reached(modules: Mapping[str, Module], entry: str, stops: Iterable[str]) -> list[str]:
    """The modules that `entry` imports and itself, each after what it imports; what `stops`
    import is theirs."""
    stops, graph, waiting = set(stops) - {entry}, {}, [entry]
    while waiting:
        name = waiting.pop()
        if name not in graph:
            graph[name] = modules[name].needs if name not in stops else []
            waiting += graph[name]
    return [name for name in TopologicalSorter(graph).static_order() if name not in stops]


def _file(name: str, content: Sequence[str], modules: Mapping[str, Module],
          homes: Mapping[str, str]) -> str:
    inside = set(content)
    foreign: dict[str, dict[str, None]] = {}
    for module in content:
        for other in modules[module].needs:
            if other not in inside:
                foreign.setdefault(homes[other], {})[_variable(other)] = None
    lines = [f'import {{ {", ".join(names)} }} from "{_relative(home, name)}";\n'
             for home, names in foreign.items()]
    lines += [_scope(modules[module], name) for module in content]
    exported = [_variable(module) for module in content]
    lines.append(f"export {{ {', '.join(exported)} }};\n")
    if name in modules and modules[name].gives:
        lines.append(f"export const {{ {', '.join(modules[name].gives)} }} = {_variable(name)};\n")
    return "".join(lines)


def _scope(module: Module, home: str) -> str:
    """The module as an object of its exports, with links as they are from the file `home`."""
    def point(match: re.Match[str]) -> str:
        target = normpath(join(dirname(module.name), match[2]))
        return f'{match[1]}"{_relative(target, home)}"'

    body = LINK.sub(point, module.body)
    taken = "".join(f"const {{ {names} }} = {_variable(other)};\n"
                    for other, names in module.uses if names)
    given = ", ".join(n if n == value else f"{n}: {value}" for n, value in module.gives.items())
    scope = f"{taken}{body}return {{ {given} }};\n"
    return f"const {_variable(module.name)} = (() => {{\n{scope}}})();\n"


def _variable(name: str) -> str:
    return "$" + re.sub(r"\W", "_", name.removesuffix(".js"))


def _relative(target: str, home: str) -> str:
    path = relpath(target, dirname(home) or ".")
    return path if path.startswith(".") else f"./{path}"


def _pairs(names: str) -> list[tuple[str, str]]:
    """(a module's own name, the other side's) of "a, b as c"."""
    parts = [part.split(" as ") for part in re.split(r"\s*,\s*", names.strip()) if part]
    return [(part[0], part[-1]) for part in parts]
