"""Built pages in a real Chromium: what they say, and that they run wherever they are put."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from onnxpress.kinds.picture import PictureFacts
from onnxpress.manifest.demo import Demo, Sample
from onnxpress.pack.proof import ProofRow
from onnxpress.pack.weights import Tried, Weights
from onnxpress.proof.verify import Figures, Row
from onnxpress.site import page
from onnxpress.site.page_numbers import compared, error, facts_of, required
from onnxpress.words import count, exponent, flops, size
from support.manifests import bare_manifest
from support.page_server import Answer, PageServer
from support.paths import ROOT
from support.site_folder import copy_site, run
from support.tab import Tab
from support.tasks import options_of

CSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob:"
DEMO = "document.querySelector('onnx-demo')"


class SiteServer(PageServer):
    """Sends a folder's index.html, as static hosts do."""

    def answer(self, path: str) -> Answer:
        return super().answer(f"{path}index.html" if path.endswith("/") else path)


@pytest.fixture(scope="module")
def host() -> Iterator[PageServer]:
    with SiteServer({}) as host:
        yield host


@pytest.fixture(scope="module")
def site(host: PageServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders: material (with navigation.instant), rtd (no directory URLs), plain (no generator),
    site (Zensical's); `host` serves them."""
    site = copy_site(tmp_path_factory.mktemp("pages"), built=True)
    # navigation.instant follows links of the sitemap only, whose addresses start at site_url.
    config = site / "material.yml"
    config.write_text(config.read_text().replace("https://example.org/sub/path/",
                                                 f"{host.url}/a/b/"))
    for command in (
        ("mkdocs", "build", "-q", "-f", "material.yml", "-d", "material"),
        ("mkdocs", "build", "-q", "-f", "readthedocs.yml", "-d", "rtd"),
        ("onnxpress.cli", "build", "docs/sums.yml", "docs/tint.yml", "--out", "plain"),
        ("onnxpress.cli", "build", "docs/sums.yml", "--out", "docs/assets/onnxpress"),
        ("zensical", "build", "-f", "zensical.yml"),
    ):
        done = run(site, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    host.files = {"/a/b/": site / "material", "/rtd/": site / "rtd", "/plain/": site / "plain",
                  "/zen/": site / "site"}
    return site


def answer(tab: Tab) -> list[str]:
    """Runs the demo on its first sample; the lines of its bars."""
    tab.wait(f"!!{DEMO}?.shadowRoot?.querySelector('.foot:not([hidden])')")
    tab.js(f"void {DEMO}.run()")
    tab.wait(f"['done', 'failed'].includes({DEMO}.state)")
    assert tab.js(f"{DEMO}.state") == "done", tab.js(f"{DEMO}.shadowRoot.textContent")
    return tab.js(f"{DEMO}.shadowRoot.querySelector('.onnx-bars').innerText").split("\n")


def poster(site: Path) -> list[str]:
    """The same lines as the build wrote them into the manifest."""
    manifest = json.loads((site / "plain/demos/sums.json").read_text())
    return [text for row in manifest["demo"]["samples"][0]["result"]["top"]
            for text in (row["label"], f"{100 * row['score']:.1f} %")]


@pytest.mark.parametrize("target", ["wasm", "js", "webgpu"])
def test_a_page_below_a_sub_path_gives_the_poster_s_answer(site: Path, host: PageServer, tab: Tab,
                                                           target: str) -> None:
    tab.open(f"{host.url}/a/b/sums/index.html?target={target}")
    assert answer(tab) == poster(site)
    assert tab.js(f"{DEMO}.model.target") == target


@pytest.mark.parametrize("path", ["/rtd/deep/page.html", "/zen/deep/page/index.html"])
def test_an_embedded_demo_finds_its_pack(site: Path, host: PageServer, tab: Tab,
                                         path: str) -> None:
    tab.open(f"{host.url}{path}?target=js")
    assert answer(tab) == poster(site)


def test_instant_navigation(site: Path, host: PageServer, tab: Tab) -> None:
    """The theme swaps the page's content and runs no script again; the element lives by itself."""
    tab.open(f"{host.url}/a/b/?target=js")
    tab.wait("!!document.querySelector('.onnx-gallery a')")
    tab.js("void (globalThis.same = true)")
    tab.js("document.querySelector('.onnx-gallery a[href*=sums]').click()")
    tab.wait(f"location.pathname == '/a/b/sums/' && !!{DEMO}")
    tab.js(f"void {DEMO}.setAttribute('target', 'js')")
    assert answer(tab) == poster(site)
    assert tab.js("globalThis.same"), "the page was not loaded anew"


def test_instant_navigation_to_a_benchmark(site: Path, host: PageServer, tab: Tab) -> None:
    """Its script comes with the content, and the theme runs that."""
    tab.open(f"{host.url}/a/b/sums/")
    tab.wait("!!document.querySelector('a.md-logo')")
    tab.js("void (globalThis.same = true)")
    tab.js("document.querySelector('a.md-logo').click()")
    tab.wait("!!document.querySelector('onnx-bench')?.shadowRoot?.querySelector('.run').innerText")
    assert tab.js("globalThis.same"), "the page was not loaded anew"


def test_the_stated_policy_is_enough(site: Path, host: PageServer, tab: Tab) -> None:
    assert CSP in (ROOT / "demos/about/csp.md").read_text()
    host.headers = {"Content-Security-Policy": CSP}
    try:
        tab.open(f"{host.url}/plain/sums.html?target=wasm")
        assert answer(tab) == poster(site)
        assert tab.js(f"{DEMO}.model.target") == "wasm"
        assert not [line for line in tab.logs if "Content Security Policy" in line]
    finally:
        host.headers = {}


def test_a_page_says_everything_without_scripts(site: Path) -> None:
    text = (site / "plain/sums.html").read_text("utf-8")
    for part in ("Computed when", "red", "%", "How it was compiled", "WebAssembly", "The model",
                 "MIT", "It is a test.", "Nobody &amp; Co. &lt;Nowhere&gt;", "CC0",
                 "never leave your browser", "It has a second paragraph."):
        assert part.lower() in text.lower(), part


def test_untrained_weights_are_said_to_be() -> None:
    sample = Sample(url="s.webp", title="Cat", licence="CC0",
                    facts=PictureFacts(kind="picture", size=(4, 3)))
    demo = Demo(title="", task=options_of("image-classification"), samples=(sample,),
                weights_note="The weights are untrained.")
    html = page.element("d", demo, "../")
    assert "The weights are untrained." in html
    assert '<img src="../demos/s.webp" alt="Cat" width="4" height="3">' in html
    assert "onnx-bars" not in html


@pytest.mark.parametrize(("task", "sentence"), [
    ("tensor", "This model takes numbers, not pictures; run it to see what comes out."),
    ("segmentation", "Choose a picture of your own to see what the model makes of it."),
])
def test_a_demo_without_samples_speaks_of_its_kind(task: str, sentence: str) -> None:
    demo = Demo(title="A", task=options_of(task))
    html = page.element("d", demo, "../")
    assert f'<p class="onnx-poster">{sentence}</p>' in html


def test_numbers_as_people_read_them() -> None:
    assert [size(n) for n in (12, 45_300, 18_800_000)] == ["12 B", "45 kB", "18.8 MB"]
    assert [count(n) for n in (87, 168_000, 4_650_000)] == ["87", "168 thousand", "4.65 million"]
    assert [flops(n) for n in (166_000, 5_800_000_000)] == ["0.2 MFLOP", "5.80 GFLOP"]
    assert [exponent(x) for x in (0.0, 1.234e-6, 0.5)] == ["0", "1.2e-6", "5.0e-1"]
    assert required(row("psnr_db", 45.04, 40.0)) == "signal to noise 45 dB, at least 40 dB"


@pytest.mark.parametrize("judged, value, limit, top1, words", [
    ("cosine", 0.9729, 0.999, True, "cosine 0.9729 < 0.999"),
    ("cosine", 0.9994, 0.999, False, "cosine 0.9994 ≥ 0.999, another first class"),
    ("psnr_db", 41.03, 40.0, None, "PSNR 41 dB ≥ 40 dB"),
    ("psnr_db", 39.98, 40.0, None, "PSNR 39.98 dB < 40 dB"),
    ("cosine", 0.99896, 0.999, True, "cosine 0.99896 < 0.999"),
    ("max_error_over_peak", 1.004e-4, 1e-4, None, "error 1.004e-4 > 1.0e-4"),
    ("iou", 0.9876, 0.99, None, "IoU 0.9876 < 0.99"),
    ("max_error_over_peak", 3.4e-7, 1e-4, None, "error 3.4e-7 ≤ 1.0e-4"),
    ("relative_l2", 0.12, 0.08, None, "relative L2 0.12 > 0.08"),
])
def test_an_encoding_that_was_tried_in_words(judged: str, value: float, limit: float,
                                             top1: bool | None, words: str) -> None:
    tried = Tried("int8", 1, True, judged, value, limit, top1, "1 of 9 matrices stay in f16")
    weights = Weights(bytes=1, shards=(), tensors=(), tried=(tried,))
    (told,) = facts_of(bare_manifest(weights=weights)).tried
    assert told.figure == words
    assert told.encoding == "int8, 1 of 9 matrices stay in f16"


def row(judged: str, value: float, limit: float) -> ProofRow:
    """A row of the proof whose judged figure is `value`."""
    figures = {"max_error_over_peak": 0.5, "relative_l2": 0.0, "cosine": 1.0, "psnr_db": 0.0,
               "iou": None, judged: value}
    return ProofRow(target="wasm", build="relaxed", same_top1=None, judged=judged, limit=limit,
                    holds=True, **figures)


@pytest.mark.parametrize("judged, value, limit, words", [
    ("cosine", 0.99896, 0.999, "cosine 0.99896, at least 0.999"),
    ("cosine", 0.99904, 0.999, "cosine 0.99904, at least 0.999"),
    ("cosine", 0.999, 0.999, "cosine 0.9990, at least 0.999"),
    ("cosine", 1.0, 0.999, "cosine 1.0000, at least 0.999"),
    ("psnr_db", 39.97, 40.0, "signal to noise 39.97 dB, at least 40 dB"),
    ("iou", 0.98996, 0.99, "shared area 0.98996, at least 0.99"),
    ("relative_l2", 0.0801, 0.08, "relative L2 0.0801, at most 0.08"),
])
def test_no_figure_is_rounded_beyond_its_limit(judged: str, value: float, limit: float, words: str
                                               ) -> None:
    assert required(row(judged, value, limit)) == words
    found = compared(judged, value, limit, None)
    assert words.partition(",")[0].rpartition(" dB")[0].rpartition(" ")[2] in found


def test_an_error_is_not_rounded_onto_its_limit() -> None:
    assert error(row("max_error_over_peak", 5.04e-4, 5e-4)) == "5.04e-4"
    assert error(row("max_error_over_peak", 4.2e-6, 5e-4)) == "4.2e-6"
    assert error(row("cosine", 1.0, 0.999)) == "5.0e-1"


@pytest.mark.parametrize("value, kept", [
    (0.99896, 0.99896), (0.998960001, 0.99896), (0.9994321, 0.9994), (0.99900004, 0.99900004)])
def test_the_manifest_keeps_a_figure_on_its_side_of_the_limit(value: float, kept: float) -> None:
    figures = Figures(0.1, 0.1, value, None, 55.5555)
    found = Row("wasm", "relaxed", figures, "cosine", 0.999, value, value >= 0.999).kept()
    assert (found.cosine, found.psnr_db) == (kept, 55.56)


@pytest.mark.parametrize("place", ["a/b/sums/proof/", "rtd/sums/proof.html",
                                   "plain/proofs/sums.html"])
def test_a_proof_sheet_asks_this_device_when_it_is_told_to(site: Path, host: PageServer, tab: Tab,
                                                           place: str) -> None:
    sheet = "document.querySelector('onnx-proof')"
    host.requests.clear()
    tab.open(f"{host.url}/{place}")
    tab.wait(f"!!{sheet}?.shadowRoot")
    assert not [path for path in host.requests if "/demos/" in path]
    tab.js(f"{sheet}.shadowRoot.querySelector('button').click()")
    tab.wait(f"{sheet}.getAttribute('state') === 'done'", 60)
    rows = tab.js(f"[...{sheet}.shadowRoot.querySelectorAll('tbody tr')].map((r) => r.innerText)")
    assert {"WebAssembly", "JavaScript"} <= {row.split()[0] for row in rows if "yes" in row}, rows
    tab.resize(360, 800)
    assert tab.js("document.documentElement.scrollWidth") <= 360
    tab.resize(1280, 900)
