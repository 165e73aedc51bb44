"""Several threads in Chromium, sharing a memory or not: the bits of one thread, and one thread
where several cannot run."""

import json
import re
from collections.abc import Iterator

import onnx
import pytest
import wasmtime
from onnxpress.compiler import Options, compile_model
from onnxpress.runtime import RUNTIME, runtime_files
from support.onnx_models import every_phase
from support.page_server import PageServer
from support.paths import PAGES
from support.tab import Tab

THREAD = RUNTIME / "targets/wasm/thread.js"
CSP = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob:"
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp"}
# What runs the model in a worker's script, and the same for one that dies of it.
FAULTS = {
    "thread.js": ("run: () => exports.run(...place)",
                  "run() { if (place[0]) throw Error('too little'); exports.run(...place); }"),
    "peer.js": ("async run({ arrays: inputs }) {",
                "async run() { const inputs = []; throw Error('too little');"),
}
OPEN = """
  const { load } = await import("/site/docs/onnxpress.js");
  const image = Float32Array.from({ length: 3 * 37 * 33 }, (_, i) => Math.sin(i * i));
  const open = (threads, more) => load("/site/docs/manifest.json",
    { target: "wasm", threads, ...more });
  const bits = async (model) => {
    const { scores } = await model.run({ image });
    return [...new Int32Array(scores.buffer, scores.byteOffset, scores.length)].join();
  };
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """A pack on a path below the root, with the documented policy; small as the model is, it says
    what workers without a shared memory must tell each other."""
    folder = tmp_path_factory.mktemp("pack")
    onnx.save(every_phase(), folder / "net.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onnxpress.programs.wasm.threads.SMALL_ALONE", 0.0)
        patch.setattr("onnxpress.programs.wasm.exchange.MESSAGE", 0.0)
        patch.setattr("onnxpress.programs.wasm.build.MOST_WORKERS", 4)
        compile_model(folder / "net.onnx", folder / "out",
                      Options(name="net", targets=("wasm", "js")))
    headers = {"Content-Security-Policy": CSP, **ISOLATED}
    folders = {"/pages/": PAGES, "/rt/": RUNTIME, "/site/docs/": folder / "out"}
    with PageServer(folders, headers) as site:
        yield site


@pytest.fixture
def page(site: PageServer, tab: Tab) -> Tab:
    return visit(site, tab, isolated=True)


def visit(site: PageServer, tab: Tab, isolated: bool) -> Tab:
    site.headers = {k: v for k, v in site.headers.items() if k not in ISOLATED}
    site.headers |= ISOLATED if isolated else {}
    tab.open(site.url + "/pages/plain.html")
    assert tab.js("crossOriginIsolated") is isolated
    return tab


def test_the_barrier_is_what_its_text_says() -> None:
    text = THREAD.read_text()
    wat = "\n".join(re.findall(r"^// ((?:\(module|  ).*)$", text, re.MULTILINE))
    listed = re.search(r"BARRIER = \[(.*?)\];", text, re.DOTALL)[1]
    assert wasmtime.wat2wasm(wat) == bytes(int(n) for n in re.findall(r"\d+", listed))


@pytest.mark.parametrize("isolated,counts", [(True, [1, 2, 3, 7]), (False, [1, 2, 3, 4])],
                         ids=["shared", "apart"])
def test_real_threads_agree_to_the_last_bit(site: PageServer, page: Tab, isolated: bool,
                                            counts: list[int]) -> None:
    visit(site, page, isolated)
    got = page.js(f"""(async () => {{ {OPEN}
      const found = [];
      for (const threads of {counts}) {{
        for (const worker of [false, true]) {{
          const model = await open(threads, {{ worker }});
          const runs = [await bits(model), await bits(model)];
          const steps = await model.profile({{ image }});
          found.push({{ asked: threads, threads: model.threads, runs, steps: steps.length,
            reason: model.reason, notes: model.notes }});
          model.dispose();
        }}
      }}
      return found;
    }})()""")
    assert len({bits for row in got for bits in row["runs"]}) == 1
    assert all(row["threads"] == row["asked"] and not row["notes"] for row in got)
    assert got[0]["steps"] == got[-1]["steps"] > 8
    assert got[-1]["reason"].startswith(f"WebAssembly on {counts[-1]} threads, ")


@pytest.mark.parametrize("isolated", [True, False], ids=["shared", "apart"])
def test_a_small_net_stays_on_one_thread(site: PageServer, page: Tab, isolated: bool) -> None:
    visit(site, page, isolated)
    assert page.js(f"""(async () => {{ {OPEN} const model = await open("auto");
      model.dispose(); return [model.threads, model.notes]; }})()""") == [1, []]


def test_without_isolation_no_more_run_than_the_pack_provides_for(site: PageServer, page: Tab
                                                                  ) -> None:
    visit(site, page, isolated=False)
    threads, notes = page.js(f"""(async () => {{ {OPEN} const model = await open(9);
      await bits(model); model.dispose(); return [model.threads, model.notes]; }})()""")
    assert threads == 4
    assert notes == ["Where the page is not cross-origin isolated, this model runs on up to "
                     "4 threads."]
    assert page.js("""(async () => {
      const { threadsHere } = await import("/rt/targets/wasm/threads.js");
      const about = { threads: 8, workers: 1, most_workers: 1 };
      return [threadsHere("auto", about), threadsHere(1, about), threadsHere(4, about)];
    })()""") == [{"threads": 1}, {"threads": 1}, {"threads": 1, "refusal":
                 "Where the page is not cross-origin isolated, this model is run on one thread: "
                 "for several workers, each with the whole model, it is too small or too large."}]


@pytest.mark.parametrize("worker", [False, True], ids=["page", "worker"])
@pytest.mark.parametrize("fault", ["missing", "failing"])
@pytest.mark.parametrize("name", FAULTS)
def test_one_thread_takes_over(site: PageServer, page: Tab, fault: str, worker: bool, name: str
                               ) -> None:
    """`failing`: all threads but the first die in a run, and the first waits for them."""
    visit(site, page, isolated=name == "thread.js")
    script = runtime_files()[f"targets/wasm/{name}"].decode()
    path = f"/site/docs/targets/wasm/{name}"
    sound, faulty = FAULTS[name]
    assert sound in script
    dying = script.replace(sound, faulty)
    answer = {"missing": (404, "text/html", b""),
              "failing": (200, "text/javascript", dying.encode())}
    site.faults[path] = [lambda _: answer[fault]] * 3
    got = page.js(f"""(async () => {{ {OPEN}
      const found = [];
      const model = await open(3, {{ worker: {json.dumps(worker)},
        onFallback: ({{ from, to }}) => found.push([from, to]) }});
      const several = await bits(model);
      model.dispose();
      return {{ found, threads: model.threads, target: model.target, notes: model.notes,
        same: several === await bits(await open(1)) }};
    }})()""")
    site.faults.pop(path)
    assert got["found"] == [["wasm", "wasm"]]
    assert (got["threads"], got["target"], got["same"]) == (1, "wasm", True)
    assert got["notes"][0].startswith("WebAssembly on 3 threads failed: a thread has failed (")


@pytest.mark.parametrize("isolated", [True, False], ids=["shared", "apart"])
def test_dispose_ends_a_run_and_its_threads(site: PageServer, page: Tab, isolated: bool) -> None:
    visit(site, page, isolated)
    got = page.js(f"""(async () => {{ {OPEN}
      const ended = [], {{ terminate }} = Worker.prototype;
      Worker.prototype.terminate = function () {{ ended.push(this); terminate.call(this); }};
      const model = await open(3);
      const waiting = model.run({{ image }}).then(() => "ran", (error) => error.code);
      await null; await null;
      model.dispose();
      const after = await model.run({{ image }}).catch((error) => error.code);
      return [await waiting, after, ended.length];
    }})()""")
    assert got == ["disposed", "disposed", 3 if isolated else 2]  # who asks is one of them
