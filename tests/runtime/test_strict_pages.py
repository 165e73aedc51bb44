"""Pages that allow little: Trusted Types, sandboxed frames, other origins. Each demo works, or one
sentence on the page says what is missing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from onnxpress.runtime import runtime_files
from support.browsers import NAMES, open_browser
from support.firefox import Firefox
from support.page_server import PUBLISHED, PageServer
from support.paths import PAGES
from support.tab import Tab
from support.tiny_pack import tiny_pack

DEMO = "document.querySelector('onnx-demo')"
ROOT = f"{DEMO}.shadowRoot"
ENDED = f"['done', 'failed'].includes({DEMO}.state)"
CSP = ("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
       "img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'")
TRUSTED = f"{CSP}; require-trusted-types-for 'script'"
REFUSED = "The browser refused a worker, so the model runs on the page's own thread."
ANYONE = {"Access-Control-Allow-Origin": "*"}
RED = ["red", "79.8 %"]  # softmax of 2.5, 1, -1
AFTER = f"getComputedStyle({DEMO}, '::after')"
LACKS = "its scripts come only if their host sends Access-Control-Allow-Origin."


@pytest.fixture(scope="module", params=NAMES)
def visitor(request: pytest.FixtureRequest) -> Iterator[Tab | Firefox]:
    with open_browser(request.param) as browser:
        yield browser


@pytest.fixture
def site(host: PageServer) -> PageServer:
    """A server of a sound pack, without headers yet."""
    host.headers = {}
    host.faults.clear()
    host.files |= {f"/tiny/{name}": content for name, content in tiny_pack().items()}
    return host


@pytest.fixture(scope="module")
def other() -> Iterator[PageServer]:
    """The pages of another site."""
    with PageServer({**PUBLISHED, "/pages/": PAGES}) as server:
        yield server


def ends(visitor: Tab | Firefox) -> dict[str, Any]:
    """What the demo shows in the end."""
    visitor.wait(f"!!{ROOT}?.querySelector('.run')")
    visitor.js(f"void {DEMO}.run()")
    visitor.wait(ENDED)
    return visitor.js(f"""({{
      bars: {ROOT}.querySelector(".onnx-bars")?.innerText.split("\\n").slice(0, 2),
      fault: {ROOT}.querySelector(".fault p").textContent, notes: {DEMO}.model?.notes }})""")


# --- Trusted Types ---


@pytest.mark.parametrize(("policy", "notes"), [
    (TRUSTED, []), (f"{TRUSTED}; trusted-types onnxpress", []),
    (f"{TRUSTED}; trusted-types 'none'", [REFUSED]),
    (f"{TRUSTED}; trusted-types others", [REFUSED]),
])
def test_trusted_types_cost_the_worker_at_most(site: PageServer, visitor: Tab | Firefox,
                                               policy: str, notes: list[str]) -> None:
    site.headers = {"Content-Security-Policy": policy}
    visitor.open(site.url + "/pages/demo.html")
    assert ends(visitor) == {"bars": RED, "fault": "", "notes": notes}


# --- other origins ---


def embed(other: PageServer, site: PageServer, runtime: str) -> str:
    """The address of a page of `other` with the pack of `site` and the scripts of `runtime`."""
    other.files["/embed.html"] = f"""<!doctype html><link rel="icon" href="data:,">
      <link rel="stylesheet" href="{runtime}/rt/onnxpress.css">
      <script type="module" src="{runtime}/rt/onnxpress.js"></script>
      <onnx-demo src="{site.url}/tiny/manifest.json"><p class="onnx-poster">The poster</p>
      </onnx-demo>""".encode()
    return other.url + "/embed.html"


def test_a_demo_of_a_site_that_lets_others_have_it(site: PageServer, other: PageServer,
                                                   visitor: Tab | Firefox) -> None:
    site.headers = ANYONE
    visitor.open(embed(other, site, site.url))
    assert ends(visitor) == {"bars": RED, "fault": "", "notes": [REFUSED]}


def test_scripts_that_another_site_keeps_to_itself(site: PageServer, other: PageServer,
                                                   visitor: Tab | Firefox) -> None:
    """No script runs, so the style sheet says it; the poster stays."""
    visitor.open(embed(other, site, site.url))
    visitor.wait(f"{AFTER}.visibility === 'visible'")
    assert visitor.js(f"{AFTER}.content").strip('"').endswith(LACKS)
    assert visitor.js(f"{DEMO}.querySelector('.onnx-poster').checkVisibility()")


def test_a_pack_that_another_site_keeps_to_itself(site: PageServer, other: PageServer,
                                                  visitor: Tab | Firefox) -> None:
    visitor.open(embed(other, site, other.url))
    assert "does not let other sites have its files (CORS)" in ends(visitor)["fault"]


# --- sandboxed frames ---

FRAME = """<!doctype html><link rel="icon" href="data:,">
<link rel="stylesheet" href="/rt/onnxpress.css">
<script type="module" src="/rt/onnxpress.js"></script>
<onnx-demo src="/tiny/manifest.json"><p class="onnx-poster">The poster</p></onnx-demo>
<script>
  const demo = document.querySelector("onnx-demo");
  const tell = (...said) => parent.postMessage(said, "*");
  customElements.whenDefined("onnx-demo").then(() => demo.run()).then(() =>
    tell(demo.state, demo.shadowRoot.querySelector(".onnx-bars")?.innerText));
  setInterval(() => {
    const { content, visibility } = getComputedStyle(demo, "::after");
    if (visibility === "visible" && content !== "none") tell("late", content);
  }, 50);
</script>"""


@pytest.mark.parametrize("headers", [{}, ANYONE], ids=["no CORS", "CORS"])
def test_a_sandboxed_frame_works_or_says_what_is_missing(
        site: PageServer, visitor: Tab | Firefox, headers: dict[str, str]) -> None:
    site.headers = headers
    site.files["/frame.html"] = FRAME.encode()
    visitor.open(site.url + "/pages/plain.html")
    visitor.js("""(() => {
      globalThis.told = null;
      addEventListener("message", ({ data }) => { globalThis.told ??= data; });
      const frame = Object.assign(document.createElement("iframe"), { src: "/frame.html" });
      frame.sandbox = "allow-scripts";
      document.body.append(frame);
    })()""")
    state, text = visitor.wait("globalThis.told")
    if headers:
        assert (state, text.split("\n")[:2]) == ("done", RED)
    else:
        assert state == "late" and text.strip('"').endswith(LACKS)


# --- pages from a disk ---


def test_a_page_from_a_disk_says_that_it_needs_a_server(visitor: Tab | Firefox,
                                                        tmp_path: Path) -> None:
    """Chromium loads no module there; Firefox does, and fetches nothing."""
    for name, content in runtime_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "page.html").write_text("""<!doctype html><link rel="icon" href="data:,">
      <link rel="stylesheet" href="onnxpress.css">
      <script type="module" src="onnxpress.js"></script>
      <onnx-demo src="manifest.json"><p class="onnx-poster">The poster</p></onnx-demo>""",
                                        encoding="utf-8", newline="\n")
    visitor.open((tmp_path / "page.html").as_uri())
    late = f"{AFTER}.content !== 'none' && {AFTER}.visibility === 'visible'"
    visitor.wait(f"!!customElements.get('onnx-demo') || {late}")
    if visitor.js(late):
        assert visitor.js(f"{AFTER}.content").strip('"').endswith(LACKS)
    else:
        assert ends(visitor)["fault"].endswith(
            "a page that was opened from a disk may not load other files. Open it from a server, "
            "or use a page of onnxpress export.")


# --- no scripts, odd values ---


def test_without_javascript_the_page_says_so(site: PageServer, visitor: Tab | Firefox) -> None:
    """A frame that may run no scripts, which its page looks into."""
    site.files["/frame.html"] = FRAME.encode()
    visitor.open(site.url + "/pages/plain.html")
    visitor.js("""(() => {
      const frame = Object.assign(document.createElement("iframe"), { src: "/frame.html" });
      frame.sandbox = "allow-same-origin";
      document.body.append(frame);
    })()""")
    after = """(() => {
      const { contentWindow, contentDocument } = document.querySelector("iframe");
      const demo = contentDocument.querySelector("onnx-demo");
      const { content, visibility } = demo && contentWindow.getComputedStyle(demo, "::after") || {};
      return visibility === "visible" && content.startsWith('"') && content;
    })()"""
    assert visitor.wait(after) == '"Running this needs JavaScript."'


def test_a_demo_that_runs_says_nothing_of_the_kind(site: PageServer,
                                                   visitor: Tab | Firefox) -> None:
    visitor.open(site.url + "/pages/demo.html")
    visitor.wait(f"!!{ROOT}?.querySelector('.run')")
    assert visitor.js(f"{AFTER}.content") == "none"


@pytest.mark.parametrize("said", ["undefined", "0", "NaN", "-1", "Infinity", "2.5", "8"])
def test_any_number_of_cores_gives_a_number_of_threads(site: PageServer, visitor: Tab | Firefox,
                                                       said: str) -> None:
    visitor.open(site.url + "/pages/plain.html")
    got = visitor.js(f"""(async () => {{
      const {{ threadsHere }} = await import("/rt/targets/wasm/threads.js");
      Object.defineProperty(navigator, "hardwareConcurrency", {{ value: {said} }});
      return threadsHere("auto", {{ threads: 3, workers: 3 }}).threads;
    }})()""")
    assert got == {"2.5": 2, "8": 3, "Infinity": 3}.get(said, 1)


@pytest.mark.parametrize(("arguments", "sentence"), [
    ('"http://["', '"http://[" is no address; give the URL of a manifest.json that onnxpress '
                   "wrote."),
    ("`http://[${'x'.repeat(1e6)}`", '…" is no address; give the URL of a manifest.json that '
                                     "onnxpress wrote."),
    ('"/tiny/manifest.json", null',
     "load(): the options are null; give an object, or leave them out."),
    ('"/tiny/manifest.json", "wasm"',
     "load(): the options are wasm; give an object, or leave them out."),
])
def test_load_answers_misuse_with_a_sentence(site: PageServer, visitor: Tab | Firefox,
                                             arguments: str, sentence: str) -> None:
    visitor.open(site.url + "/pages/plain.html")
    name, message = visitor.js(f"""(async () => {{
      const {{ load }} = await import("/rt/onnxpress.js");
      return load({arguments}).then(() => ["", "it worked"], (e) => [e.name, e.message]);
    }})()""")
    assert name == "PressError"
    assert message.endswith(sentence) and len(message) < 200


def test_a_demo_without_an_address_says_so(site: PageServer, visitor: Tab | Firefox) -> None:
    visitor.open(site.url + "/pages/demo.html")
    visitor.wait(f"!!{ROOT}?.querySelector('.run')")
    visitor.js(f"{DEMO}.setAttribute('src', 'http://[')")
    assert ends(visitor)["fault"].startswith('"http://[" is no address;')


def test_progress_is_a_number(site: PageServer, visitor: Tab | Firefox) -> None:
    """Whatever sizes a manifest states: <progress> throws at NaN."""
    visitor.open(site.url + "/pages/plain.html")
    seen = visitor.js("""(async () => {
      const { Meter } = await import("/rt/load/progress.js");
      const seen = [];
      for (const total of [NaN, Infinity, -1, undefined, "x", 10]) {
        const meter = new Meter(({ fraction }) => seen.push(fraction));
        meter.begin("js", total);
        for (const bytes of [5, NaN, 1e9, Infinity]) meter.add(bytes);
      }
      const bar = document.createElement("progress");
      for (const fraction of seen) bar.value = fraction;
      return seen;
    })()""")
    assert all(isinstance(value, int | float) and 0 <= value <= 1 for value in seen)
