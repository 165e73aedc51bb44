"""Pages that sleep, hide, go and come back in the middle of a load; many demos on one page."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxpress.compiler import Options, compile_model
from support.fault_page import (
    DEMO,
    END,
    NO_CACHE,
    ONCE,
    RED,
    again,
    ends_well,
    ends_with,
    pack,
    prepare,
    run,
    shard,
    visit,
)
from support.fault_server import FaultServer, Gate, hold
from support.tab import Tab

F = shard("f")
LOCKS = "navigator.locks.query().then(({ held, pending }) => [held.length, pending.length])"


def stop_at_the_last_shard(host: FaultServer, tab: Tab) -> Gate:
    """A load whose last file stops in its middle, the others being here."""
    gate = host.gate()
    host.tricks[F] = [hold(gate, 0.5)]
    run(tab)
    gate.wait()
    tab.wait("caches.open('onnxpress').then((c) => c.keys()).then((keys) => keys.length == 5)")
    return gate


# --- the page ---


def test_a_page_that_is_left_and_comes_back_goes_on(faulty: FaultServer, tab: Tab) -> None:
    """Back from the browser's back/forward cache, which wants no locks and no connections."""
    faulty.headers = {"Cache-Control": "no-cache"}  # a page that may be kept
    visit(faulty, tab)
    tab.js("globalThis.kept = true")
    stop_at_the_last_shard(faulty, tab)
    tab.js("location.href = '/pages/plain.html'")
    tab.wait("location.pathname == '/pages/plain.html' && document.readyState == 'complete'")
    assert tab.wait(f"{LOCKS}.then((count) => count.join() == '0,0')")
    tab.js("history.back()")
    tab.wait("location.pathname == '/demo.html' && document.readyState == 'complete'")
    if not tab.js("globalThis.kept"):
        pytest.skip("this Chromium keeps no pages to go back to")
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-f.bin": 2}


def test_a_page_left_for_good_leaves_nothing_behind(faulty: FaultServer, tab: Tab) -> None:
    stop_at_the_last_shard(faulty, tab)
    visit(faulty, tab, forget=False)
    assert tab.js(LOCKS) == [0, 0]
    run(tab)
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-f.bin": 2}


def test_a_hidden_page_goes_on_loading(faulty: FaultServer, tab: Tab) -> None:
    gate = stop_at_the_last_shard(faulty, tab)
    tab.js(f"globalThis.front = open('{faulty.url}/pages/plain.html'); 0")
    tab.wait("document.visibilityState == 'hidden'")
    gate.open.set()
    ends_well(tab)
    assert tab.js("document.visibilityState") == "hidden"
    tab.js("front.close()")
    tab.wait("document.visibilityState == 'visible'")
    assert faulty.weights() == ONCE


def test_a_page_that_was_frozen_goes_on(chromium: None, fault_server: FaultServer) -> None:
    """As a laptop that sleeps, or a tab that the browser puts to rest."""
    with Tab() as tab:  # a page that was frozen stays hidden
        prepare(fault_server, tab)
        gate = stop_at_the_last_shard(fault_server, tab)
        tab.call("Page.setWebLifecycleState", state="frozen")
        gate.open.set()
        tab.call("Page.setWebLifecycleState", state="active")
        ends_well(tab)
        assert fault_server.weights() == ONCE


# --- the element ---


@pytest.mark.parametrize("lack", ["", NO_CACHE], ids=["cache", "memory"])
def test_an_element_that_goes_and_comes_needs_only_the_rest(
        faulty: FaultServer, tab: Tab, lack: str) -> None:
    prepare(faulty, tab, lack=lack)
    tab.js(f"""globalThis.seen = [];
      {DEMO}.addEventListener("progress", ({{ detail }}) => seen.push(detail)); 0""")
    gate = faulty.gate()
    faulty.tricks[F] = [hold(gate, 0.5)]
    run(tab)
    gate.wait()
    tab.wait("seen.some(({ loaded, total }) => total && loaded >= total - 6)")
    tab.js(f"globalThis.kept = {DEMO}; kept.remove()")
    assert tab.js("kept.state") == "idle"
    tab.js("document.body.append(kept)")
    run(tab)
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-f.bin": 2}


# --- several on a page ---


def put(tab: Tab, count: int, more: str = "") -> None:
    """That many demos in all."""
    tab.js(f"""(() => {{ const first = {DEMO}; {more}
      for (let i = 1; i < {count}; i++) first.after(first.cloneNode(true)); }})()""")


def all_end(tab: Tab) -> list[list[str]]:
    """[state, text] of each demo."""
    each = "[...document.querySelectorAll('onnx-demo')]"
    tab.wait(f"{each}.every((demo) => {END.replace(DEMO, 'demo')})", seconds=60)
    return tab.js(f"""{each}.map((demo) => [demo.state, demo.shadowRoot
      .querySelector(demo.state == "done" ? ".onnx-bars, .tables" : ".fault").innerText])""")


def run_all(tab: Tab) -> None:
    tab.js("for (const demo of document.querySelectorAll('onnx-demo')) void demo.run(); 0")


def workers(tab: Tab) -> int:
    targets = tab.call("Target.getTargets", filter=[{"type": "worker"}])["targetInfos"]
    return len(targets)


@pytest.mark.parametrize("lack", ["", NO_CACHE], ids=["cache", "memory"])
def test_ten_demos_of_a_model_download_it_once(faulty: FaultServer, tab: Tab, lack: str) -> None:
    prepare(faulty, tab, lack=lack)
    put(tab, 10)
    gate = faulty.gate()
    faulty.tricks[F] = [hold(gate, 0.5)]
    run_all(tab)
    gate.wait()
    assert faulty.requests["/rt/worker.js"] == 1
    gate.open.set()
    ends = all_end(tab)
    assert ends == 10 * [["done", "\n".join(RED)]]
    assert faulty.weights() == ONCE


def test_ten_demos_share_one_graphics_device(
        faulty: FaultServer, tab: Tab, tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.array([[1, 2], [3, 4]], np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 2))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 2))], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              tmp_path / "product.onnx")
    compile_model(tmp_path / "product.onnx", tmp_path / "out", Options(name="product"))
    faulty.files |= {"/gpu/": tmp_path / "out", "/device": b""}
    prepare(faulty, tab, lack="""if (globalThis.GPUAdapter) {
      const ask = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = function (...how) {
        fetch("/device");
        return ask.apply(this, how);
      }; }""")
    put(tab, 10, "first.setAttribute('target', 'webgpu'); "
                 "first.setAttribute('src', '/gpu/manifest.json');")
    run_all(tab)
    ends = all_end(tab)
    assert [state for state, _ in ends] == 10 * ["done"], ends
    assert tab.js(f"{DEMO}.model.target") == "webgpu"
    assert faulty.requests["/device"] == 1


def test_the_one_that_asked_first_may_leave(faulty: FaultServer, tab: Tab) -> None:
    """The other waits for the same download, and takes it over."""
    put(tab, 2)
    stop_at_the_last_shard(faulty, tab)
    tab.js("void document.querySelectorAll('onnx-demo')[1].run()")
    tab.wait("document.querySelectorAll('onnx-demo')[1].state == 'fetching'")
    tab.js(f"{DEMO}.remove()")
    ends_well(tab)
    assert faulty.weights() == {**ONCE, "weights-f.bin": 2}


def test_two_manifests_share_nothing_that_either_did_not_publish(
        faulty: FaultServer, tab: Tab) -> None:
    """Both name the same address at the same time, and one of them other bytes."""
    manifest = json.loads(faulty.files["/tiny/manifest.json"])
    manifest["weights"]["shards"][5]["sha256"] = 64 * "0"
    faulty.files["/tiny/other.json"] = json.dumps(manifest).encode()
    gate = faulty.gate()
    faulty.tricks[F] = [hold(gate, 0.5)]
    put(tab, 2)
    tab.js("document.querySelectorAll('onnx-demo')[1].setAttribute('src', '/tiny/other.json')")
    run(tab)
    gate.wait()
    tab.js("void document.querySelectorAll('onnx-demo')[1].run()")
    tab.wait("document.querySelectorAll('onnx-demo')[1].state == 'failed'")
    gate.open.set()
    ends_well(tab)
    assert all_end(tab)[1][1].startswith("weights-f.bin: the bytes are not the published ones")


def test_the_worker_ends_with_the_last_model(faulty: FaultServer, tab: Tab) -> None:
    put(tab, 2)
    run_all(tab)
    all_end(tab)
    count = workers(tab)
    tab.js(f"{DEMO}.remove()")
    run(tab)
    ends_well(tab)
    assert workers(tab) == count, "one model still lives there"
    tab.js(f"globalThis.model = {DEMO}.model; {DEMO}.remove()")
    assert tab.js("model.run({}).catch(({ code }) => code)") == "disposed"
    while workers(tab) == count:  # the browser ends it in its own time
        pass
    assert workers(tab) == count - 1


def test_a_worker_that_fails_is_replaced(faulty: FaultServer, tab: Tab) -> None:
    """When its files are stored, a while after the model is ready."""
    prepare(faulty, tab, lack=f"""if (!globalThis.document) {{
      addEventListener("message", async (event) => {{
        if (event.data.call !== "run") return;
        event.stopImmediatePropagation();
        const cache = await caches.open("onnxpress");
        const pause = () => new Promise((resolve) => setTimeout(resolve, 10));
        while ((await cache.keys()).length < {len(ONCE)}) await pause();
        setTimeout(() => {{ throw new Error("out of order"); }});
      }});
    }}""")
    run(tab)
    assert ends_with(tab) == (
        "The model's worker has failed (Uncaught Error: out of order). Try again.")
    tab.logs.clear()
    faulty.reset(pack())
    again(tab)
    ends_well(tab)
    assert faulty.weights() == {}
