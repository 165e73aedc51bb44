"""The plugin for MkDocs and ProperDocs; the only file that imports mkdocs.

Jobs start when the files are known, and run beside MkDocs' own work on pages. `on_env` waits for
the packs and fills the slots that fences left in pages. Nothing is written below docs_dir.
"""

import atexit
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.config import config_options as c
from mkdocs.config.base import Config
from mkdocs.exceptions import PluginError
from mkdocs.plugins import BasePlugin, get_plugin_logger
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.utils import get_relative_url

from ..build.builds import Builds, Built, workers
from ..build.card_sources import local_files
from ..build.display import choose_display
from ..errors import OnnxPressError, PackError, SpecError, did_you_mean, within
from ..files import write_atomically
from ..limits import Limits
from ..manifest.sheet import Sheet
from ..spec import Demo, Rules, is_demo, load_demo, parse_demo
from ..words import size
from . import page as html
from .proof_sheet import FOLDER
from .publish import ASSETS, pack_files, shared_files, sheets_in
from .sizes import size_table, sizes_of, total_json
from .slots import Slot, Slots, demo_page, proof_page

log = get_plugin_logger("onnxpress")


class OnnxPressConfig(Config):
    enabled = c.Type(bool, default=True)
    specs = c.Type(str, default="*.yml")  # in docs_dir; * stays in a folder, ** crosses folders
    models = c.Type(str, default="models")  # model cards, labels and recipes, beside mkdocs.yml
    recipes = c.ListOfItems(c.Type(str), default=[])  # further folders of recipes
    inline_recipes = c.Type(bool, default=False)  # whether specs inside pages may name recipes
    publish_sources = c.Type(bool, default=False)  # specs and models that lie in docs_dir
    cache_dir = c.Type(str, default=".cache/onnxpress")
    cache = c.Type(str, default="")  # a URL or folder that machines share, asked after cache_dir
    concurrency = c.Type(int, default=0)  # child processes; 0: one per processor
    limits = c.Type(dict, default={})  # of each model: gigabytes, minutes, teraflop


def told(hook: Callable[..., Any]) -> Callable[..., Any]:
    """The hook, in which every exception is a sentence that ends the site build."""
    @wraps(hook)
    def run(*arguments: Any, **named: Any) -> Any:
        try:
            with within(""):
                return hook(*arguments, **named)
        except OnnxPressError as error:
            raise PluginError(str(error)) from error

    return run


class OnnxPressPlugin(BasePlugin[OnnxPressConfig]):
    """One object serves all rebuilds of `mkdocs serve`."""

    def __init__(self) -> None:
        self._builds: Builds | None = None
        self.demos: dict[str, Demo] = {}  # by the page that shows it
        self.proofs: dict[str, Demo] = {}  # by the page of its proof sheet
        self.inline: list[Demo] = []  # whose specs stand in pages
        self.slots = Slots()
        self._folder: Path | None = None  # the published files that no pack holds
        self.page: Any = None
        self.order: list[str] = []  # pages in the order of the navigation
        self.serving = False

    @property
    def builds(self) -> Builds:
        assert self._builds, "on_config comes first"
        return self._builds

    def on_startup(self, *, command: str, dirty: bool) -> None:
        self.serving = command == "serve"

    @told
    def on_config(self, config: Any) -> None:
        if not self.config.enabled:
            return
        root = Path(config.config_file_path or ".").parent.resolve()
        self.models = root / self.config.models
        self.recipes = [root / folder for folder in self.config.recipes]
        self.rules = Rules.around(self.models, root, Path(config.docs_dir), recipes=self.recipes)
        cache = root / self.config.cache_dir
        if cache.is_relative_to(Path(config.docs_dir).resolve()):
            raise PackError(f"cache_dir: {self.config.cache_dir} lies in docs_dir, where every "
                            "build would start the next one; choose a folder outside of it")
        if self._builds is None:
            shared = self.config.cache
            if shared and "://" not in shared:
                shared = str(root / shared)
            self._builds = Builds(cache, workers(self.config.concurrency), choose_display(log),
                                  shared, limits=Limits.of(self.config.limits, "limits"))
        config.extra_css += [f"{ASSETS}onnxpress.css", f"{ASSETS}pages.css"]
        script = c.ExtraScriptValue(f"{ASSETS}onnxpress.js")
        script["type"] = "module"
        config.extra_javascript.append(script)
        if "onnxpress" not in config.markdown_extensions:
            config.markdown_extensions.append("onnxpress")
        config.mdx_configs["onnxpress"] = {"render": self._render}

    def _made(self, config: Any, uri: str, file: Path | bytes,
              inclusion: InclusionLevel = InclusionLevel.UNDEFINED) -> File:
        """A file of the site, given by its path or its content. The content lies on the disk, for
        other plugins ask every file for its path."""
        if isinstance(file, bytes):
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="onnxpress-"))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            content, file = file, self._folder / uri
            write_atomically(file, content)
        return File.generated(config, uri, abs_src_path=str(file), inclusion=inclusion)

    @told
    def on_files(self, files: Files, *, config: Any) -> Files:
        if not self.config.enabled:
            return files
        self.slots, self.demos, self.proofs, self.inline = Slots(), {}, {}, []
        self.begin = time.monotonic()
        specs = [(f, f.abs_src_path) for f in files if f.abs_src_path and self._is_spec(f)]
        for file, source in specs:
            where = _shown(source, config)
            self.rules.admit(Path(source), where)
            if not is_demo(Path(source)):
                log.info(f"{where}: left alone, for it has neither task nor model; "
                         "specs in mkdocs.yml says which files are demos")
                continue
            demo = load_demo(Path(source), self.models, where, self.rules)
            uri = file.src_uri.removesuffix(".yml") + ".md"
            if any(other.name == demo.name for other in self.demos.values()):
                raise SpecError(f'{demo.where}: a second spec is named "{demo.name}"; '
                                "rename one of them")
            self.demos[uri] = demo
            self.builds.start(demo)
            if not self.config.publish_sources:
                files.remove(file)
            if files.get_file_from_path(uri) is None:
                files.append(self._made(config, uri, b""))
            proof = _proof_uri(uri)
            if files.get_file_from_path(proof) is None:
                files.append(self._made(config, proof, b"", InclusionLevel.NOT_IN_NAV))
                self.proofs[proof] = demo
        self._withhold(files, self.demos.values())
        for url, file in shared_files().items():
            files.append(self._made(config, ASSETS + url, file))
        return files

    def _withhold(self, files: Files, demos: Iterable[Demo]) -> None:
        """Takes the files that the demos' models are made of out of the site, cards and recipes
        too. MkDocs would copy all that lies in docs_dir."""
        if self.config.publish_sources:
            return
        models = self.models.resolve()
        sources = {path.resolve() for demo in demos for source in demo.card.sources
                   for path in local_files(source)}
        for file in list(files):
            if file.abs_src_path and not file.is_documentation_page():
                path = Path(file.abs_src_path).resolve()
                if path in sources or path.is_relative_to(models):
                    files.remove(file)

    def on_nav(self, nav: Any, *, config: Any, files: Files) -> None:
        self.order = [page.file.src_uri for page in nav.pages]

    def on_page_markdown(self, markdown: str, *, page: Any, config: Any, files: Files) -> str:
        self.page = page
        proven = self.proofs.get(page.file.src_uri)
        if proven:
            page.meta.setdefault("title", escape(html.proof_title(proven.title)))
            page.meta.setdefault("search", {"exclude": True})
            return proof_page(proven)
        demo = self.demos.get(page.file.src_uri)
        if not self.config.enabled or demo is None:
            return markdown
        page.meta.setdefault("title", escape(demo.title))
        if demo.description:
            page.meta.setdefault("description", escape(" ".join(demo.description.split())))
        return demo_page(demo, markdown)

    @told
    def on_env(self, env: Any, *, config: Any, files: Files) -> None:
        if not self.config.enabled:
            return
        begin = time.monotonic()
        builts = self.builds.join()
        self._withhold(files, self.inline)
        packs = pack_files(builts.values())
        for url, file in packs.items():
            files.append(self._made(config, ASSETS + url, file))
        urls = {demo.name: file.url for uri, demo in sorted(self.demos.items(), key=self._place)
                if (file := files.get_file_from_path(uri))}
        proofs = {demo.name: file.url for uri, demo in self.demos.items()
                  if (file := files.get_file_from_path(_proof_uri(uri)))}
        site = Published(builts, sheets_in(packs), urls, proofs)
        for file in files.documentation_pages():
            if file.page and file.page.content:
                file.page.content = self.slots.fill(
                    file.page.content, lambda slot: _content(slot, site))
        self._sum_up(list(builts.values()))
        log.debug(f"waited {time.monotonic() - begin:.2f} s for packs")

    def _sum_up(self, builts: list[Built]) -> None:
        """Logs a table if packs were built, or one line if all were cached."""
        rows = [sizes_of(built.manifest) for built in builts]
        made = sum(built.seconds > 0 for built in builts)
        count = f"{made or len(rows)} pack{'s'[:(made or len(rows)) > 1]}"
        if made:
            log.info(f"{count} in {time.monotonic() - self.begin:.1f} s\n{size_table(rows)}")
        elif rows:
            weights = size(total_json(rows)["weights"])
            log.info(f"{count} from the cache, {weights} of weights")

    def on_serve(self, server: Any, *, config: Any, builder: Any) -> None:
        if self.config.enabled:
            for folder in filter(Path.is_dir, (self.models, *self.recipes)):
                server.watch(str(folder))

    def on_post_build(self, *, config: Any) -> None:
        # While serving, packs stay, so that an undone edit finds its pack again.
        if self.config.enabled and not self.serving:
            removed = self.builds.cache.evict()
            log.debug(f"removed {removed} unused cache entries")

    def on_build_error(self, *, error: Exception) -> None:
        self.on_shutdown()

    def on_shutdown(self) -> None:
        if self._builds:
            self._builds.close()

    def _place(self, item: tuple[str, Demo]) -> tuple[int, str]:
        """The demo's place in the gallery: as in the navigation, and pages outside of it last."""
        uri = item[0]
        return (self.order.index(uri) if uri in self.order else len(self.order), uri)

    def _is_spec(self, file: File) -> bool:
        path = Path(file.src_uri)
        return (file.src_uri.endswith(".yml") and not path.name.startswith((".", "_"))
                and re.fullmatch(_pattern(self.config.specs), file.src_uri) is not None)

    @told
    def _render(self, kind: str, text: str) -> str:
        """A slot for the fence's content, which depends on the packs."""
        name = text.strip().removesuffix(".yml")
        uri, url = self.page.file.src_uri, self.page.url
        if kind == "onnx-gallery":
            return self.slots.add(Slot(kind, "", url))
        if "\n" in name or ":" in name:
            folder = Path(self.page.file.abs_src_path or ".").parent
            rules = replace(self.rules, own_recipes=self.config.inline_recipes)
            demo = parse_demo(text, self.slots.inline_name(uri, text), self.models, base=folder,
                              where=f"{uri}, onnx-demo fence", rules=rules)
            self.builds.start(demo)
            self.inline.append(demo)
            return self.slots.add(Slot(kind, demo.name, url))
        known = [demo.name for demo in self.demos.values()]
        if name not in known:
            sentence = f'There is no spec "{name}".{did_you_mean(name, known)}'
            log.warning(f"{uri}: {kind}: {sentence}")
            return html.message(sentence)
        return self.slots.add(Slot(kind, name, url))


@dataclass(frozen=True)
class Published:
    """What slots are filled with, by the demo's name: packs, their proof sheets, and the URLs of
    the pages with the demo and with its sheet."""

    builts: Mapping[str, Built]
    sheets: Mapping[str, Sheet]
    urls: Mapping[str, str]
    proofs: Mapping[str, str]


def _content(slot: Slot, site: Published) -> str:
    base = get_relative_url(ASSETS, slot.page)
    if slot.kind == "onnx-gallery":
        hrefs = {name: get_relative_url(url, slot.page) for name, url in site.urls.items()}
        return html.gallery([site.builts[name] for name in site.urls], base, hrefs)
    built, sheet = site.builts[slot.name], site.sheets[slot.name]
    if slot.kind == "onnx-demo":
        return html.element(slot.name, built.shown, base)
    if slot.kind == "onnx-bench":
        return html.bench(built, base)
    if slot.kind == "onnx-proof":
        return html.proof(sheet, base)
    if slot.kind == "onnx-compiled":
        # Another plugin may have taken the page out.
        place = site.proofs.get(slot.name, f"{ASSETS}{FOLDER}{slot.name}.json")
        return html.compiled(built, sheet, get_relative_url(place, slot.page))
    return {"onnx-lead": html.lead, "onnx-model": html.model}[slot.kind](built)


def _proof_uri(uri: str) -> str:
    """The page of the proof sheet of the demo whose page is `uri`."""
    return uri.removesuffix(".md") + "/proof.md"


def _pattern(glob: str) -> str:
    """The glob as a regular expression: * stays within a folder, ** crosses folders."""
    marks = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(marks.get(p, re.escape(p)) for p in re.split(r"(\*\*/|\*\*|\*|\?)", glob))


def _shown(path: str, config: Any) -> str:
    """The path as an author writes it, from the folder of mkdocs.yml."""
    root = Path(config.config_file_path or ".").parent.resolve()
    full = Path(path).resolve()
    return (full.relative_to(root) if full.is_relative_to(root) else full).as_posix()
