"""A program on its way from the server: compiled as it comes, and only what was verified runs."""

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
from support.browsers import NAMES, open_browser
from support.fault_server import FaultServer, Trick, html, send, turned
from support.firefox import Firefox
from support.packs import product_pack
from support.page_server import Answer
from support.tab import Tab

X = np.array([[1, -2, 3]], np.float32)
W = np.arange(12, dtype=np.float32).reshape(3, 4)

# What `load` made, and how often the whole file was compiled instead of the stream.
LOAD = """(async () => {
  const { load } = await import("/rt/onnxpress.js");
  const compile = WebAssembly.compile;
  let whole = 0;
  WebAssembly.compile = (bytes) => (whole++, compile(bytes));
  try {
    const model = await load("/pack/manifest.json", { target: "wasm", worker: false, threads: 1 });
    const { y } = await model.run({ x: new Float32Array([1, -2, 3]) });
    await model.stored;
    model.dispose();
    return { y: [...y], whole };
  } finally {
    WebAssembly.compile = compile;
  }
})()"""


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = product_pack(tmp_path_factory.mktemp("program"), W)
    return {str(file.relative_to(folder)): file.read_bytes()
            for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module", params=NAMES)
def browser(request: pytest.FixtureRequest) -> Iterator[Tab | Firefox]:
    with open_browser(request.param) as browser:
        yield browser


@pytest.fixture
def site(fault_server: FaultServer, browser: Tab | Firefox, pack: dict[str, bytes]) -> FaultServer:
    """The pack, whose files have not been here before, on an open page."""
    fault_server.reset({})
    fault_server.publish("/pack/", pack)
    browser.open(fault_server.url + "/pages/plain.html")
    browser.js("caches.delete('onnxpress').then(() => localStorage.clear())")
    return fault_server


def programs(pack: dict[str, bytes]) -> list[str]:
    manifest = json.loads(pack["manifest.json"])
    return [f"/pack/{entry['url']}" for entry in manifest["targets"]["wasm"]["files"].values()]


def slowly(to: BaseHTTPRequestHandler, answer: Answer) -> None:
    """In two parts that no browser takes for one."""
    send(to, answer)
    for part in (answer[2][:1000], answer[2][1000:]):
        to.wfile.write(part)
        to.wfile.flush()
        time.sleep(1)


SOUND = {"at-once": [], "in-parts": [slowly], "as-text": [turned(bytes, kind="text/plain")]}
FAULTY = {"a-web-page": [html()], "zeros": [turned(lambda b: bytes(len(b)))],
          "another-program": [turned(lambda b: b[:-1] + bytes([b[-1] ^ 1]))]}


@pytest.mark.parametrize("how", SOUND)
def test_it_is_compiled_as_it_comes(site: FaultServer, browser: Tab | Firefox,
                                    pack: dict[str, bytes], how: str) -> None:
    got = load(site, browser, pack, SOUND[how])
    assert got["y"] == (X @ W)[0].tolist()
    if how == "in-parts":
        assert got["whole"] == 0


@pytest.mark.parametrize("how", FAULTY)
def test_what_was_not_verified_never_runs(site: FaultServer, browser: Tab | Firefox,
                                          pack: dict[str, bytes], how: str) -> None:
    assert load(site, browser, pack, FAULTY[how]) == {"y": (X @ W)[0].tolist(), "whole": 1}


def test_parts_of_two_tries_are_not_mixed(site: FaultServer, browser: Tab | Firefox,
                                         pack: dict[str, bytes]) -> None:
    assert browser.js("""(async () => {
      const { compile } = await import("/rt/targets/wasm/compile.js");
      const bytes = new Uint8Array(await (await fetch(PROGRAM)).arrayBuffer());
      const other = bytes.map((byte, at) => at < 8 ? byte : 0);
      const module = await compile(async (entry, onPart) => {
        onPart(other.subarray(0, 100), 0);
        onPart(bytes.subarray(0, 100), 0);
        onPart(bytes.subarray(100), 100);
        return bytes.buffer;
      }, { bytes: bytes.length }, false);
      return WebAssembly.Module.exports(module).some(({ name }) => name === "run");
    })()""".replace("PROGRAM", json.dumps(programs(pack)[0])))


def test_a_kept_program_is_compiled_at_once(site: FaultServer, browser: Tab | Firefox,
                                            pack: dict[str, bytes]) -> None:
    assert load(site, browser, pack, [slowly])["whole"] == 0
    assert load(site, browser, pack, [])["whole"] == 1
    assert sum(site.requests.get(path, 0) for path in programs(pack)) == 1


def load(site: FaultServer, browser: Tab | Firefox, pack: dict[str, bytes], tricks: list[Trick]
         ) -> dict[str, object]:
    site.tricks.update({path: list(tricks) for path in programs(pack)})
    return browser.js(LOAD)
