"""What a pack is made of: its key in caches, the parts of the key, the files that were read."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..manifest.sheet import Origin, Role, SourceFile
from ..spec import Demo, Source
from ..spec.files import python_reference
from .cache import Cache, code_version, key_of, sha256_of
from .card_sources import files_of, local_files, pinned

PROSE = ("where", "description", "card", "samples")
Digest = Callable[[Path], str | None]


def demo_origins(demo: Demo, cache: Cache) -> tuple[Origin, ...]:
    """One origin per source of the demo's card; its key is a hash of everything that decides the
    pack.

    Prose changes pages but no packs, so it stays out. A key covers the sources before its own too,
    because the pack's notes name them.
    """
    plain = {k: v for k, v in asdict(demo).items() if k not in PROSE}
    samples = [_file("sample", s.path, cache.digest) for s in demo.samples]
    found = []
    for n, source in enumerate(demo.card.sources):
        parts = {
            "demo": plain,
            "sources": [pinned(source) for source in demo.card.sources[: n + 1]],
            "samples": [[s.title, s.licence, s.author, s.source] for s in demo.samples],
            "files": [cache.digest(path) for path in (*local_files(source),
                                                      *(s.path for s in demo.samples))]}
        found.append(Origin((*source_files(source, cache.digest), *samples), key_of(parts),
                            _digests(parts)))
    return tuple(found)


def demo_keys(demo: Demo, cache: Cache) -> tuple[str, ...]:
    """The cache key of each of `demo_origins`."""
    return tuple(origin.key for origin in demo_origins(demo, cache))


def source_files(source: Source, digest: Digest) -> Iterator[SourceFile]:
    """The files of a source, with their hashes: a model or a recipe, and the recipe's weights.
    A model may name any file as its external data; what lies outside of its folder is left out."""
    main: Role = "model"
    for part in filter(None, (source, source.weights)):
        if part.url:
            yield SourceFile(main, part.url.rpartition("/")[2], part.sha256 or "", part.url)
        paths = files_of(part)
        for path in paths:
            if path.parent.resolve().is_relative_to(paths[0].parent.resolve()):
                yield _file("recipe" if part.python else main, path, digest)
        main = "weights"


def file_origin(model: Path, samples: Sequence[Path]) -> Origin:
    """The origin of a pack that is compiled from a file or from a function, "net.py:build"."""
    name, function = python_reference(model.name)
    path = model.with_name(name)
    source = (Source("", python=path, function=function) if name.endswith(".py")
              else Source("", file=model))
    return Origin((*source_files(source, sha256_of),
                   *(_file("sample", sample, sha256_of) for sample in samples)))


def _file(role: Role, path: Path, digest: Digest) -> SourceFile:
    return SourceFile(role, path.name, digest(path) or "")


def _digests(parts: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: json.dumps(part, sort_keys=True, ensure_ascii=False)
             for name, part in parts.items()}
    return {"code": code_version()} | {name: hashlib.sha256(text.encode()).hexdigest()
                                       for name, text in texts.items()}
