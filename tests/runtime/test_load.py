"""load() in a real browser: the contract, and what it says when something is broken."""

import json
from typing import Any

import numpy as np
import pytest
from support.page_server import Answer, PageServer
from support.tab import Tab, TabError
from support.tiny_pack import SIDE, draw, reference, tiny_pack

AREA = 3 * SIDE * SIDE
PICTURE = draw(AREA).astype(np.float32)
RUN = """async (options, url = "/tiny/manifest.json") => {
  const { load } = await import("/rt/onnxpress.js");
  const seen = [], fallbacks = [];
  const model = await load(url, { ...options,
    onProgress: (p) => seen.push(p), onFallback: (f) => fallbacks.push(f) });
  const input = new Float32Array(PICTURE);
  let { scores } = await model.run({ picture: input });
  const holds = await model.checked;
  if (!holds) ({ scores } = await model.run({ picture: input }));
  await model.stored;
  const told = { target: model.target, build: model.build, reason: model.reason, notes: model.notes,
    timings: model.timings, check: model.check, inputs: model.inputs, outputs: model.outputs };
  model.dispose();
  return { ...told, scores: [...scores], kind: scores.constructor.name, seen, fallbacks,
    holds };
}""".replace("PICTURE", json.dumps(PICTURE.tolist()))


@pytest.fixture
def site(host: PageServer, tab: Tab) -> PageServer:
    """The server with a sound tiny pack, and a page without memory of earlier tests."""
    publish(host, tiny_pack())
    tab.open(host.url + "/pages/plain.html")
    tab.js("caches.delete('onnxpress'), sessionStorage.clear()")
    return host


def publish(host: PageServer, pack: dict[str, bytes]) -> None:
    host.files = {k: v for k, v in host.files.items() if not k.startswith("/tiny/")}
    host.files |= {f"/tiny/{name}": content for name, content in pack.items()}
    host.faults.clear()
    host.requests.clear()


def run(tab: Tab, url: str = "/tiny/manifest.json", **options: Any) -> dict[str, Any]:
    return tab.js(f"({RUN})({json.dumps(options)}, {json.dumps(url)})")


def loaded(tab: Tab, then: str, **options: Any) -> Any:
    """What the script `then` returns of the `model` that load() has given."""
    return tab.js(f"""(async () => {{
      const {{ load }} = await import("/rt/onnxpress.js");
      const model = await load("/tiny/manifest.json", {json.dumps(options)});
      {then}
    }})()""")


def fails(tab: Tab, before: str = "", **options: Any) -> str:
    """The sentence with which load() or run() rejects."""
    call = f"{before}; ({RUN})({json.dumps(options)})"
    return tab.js(f"(async () => {{ {call.replace('; (', '; return (', 1)}"
                  ".then(() => 'it worked', (e) => e.message); })()")


# --- the contract ---


@pytest.mark.parametrize("worker", [False, True])
def test_a_model_runs_in_the_page_and_in_a_worker(site: PageServer, tab: Tab, worker: bool) -> None:
    got = run(tab, worker=worker)
    wanted = reference(PICTURE.reshape(3, SIDE, SIDE))
    np.testing.assert_allclose(got["scores"], wanted, rtol=1e-5)
    assert got["kind"] == "Float32Array"
    assert (got["target"], got["build"]) == ("js", "module")
    assert got["inputs"] == [{"name": "picture", "shape": [1, 3, 8, 8], "dtype": "f32"}]
    assert got["check"]["maxError"] <= got["check"]["tolerance"]
    assert len(got["timings"]["runs"]) == 1


def test_the_first_run_on_webassembly_is_the_visitor_s(site: PageServer, tab: Tab) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    first, runs = loaded(tab, """
      await model.run({ picture: new Float32Array(192) });
      model.dispose();
      return [model.timings.first, model.timings.runs];""")
    assert runs == [first]


@pytest.mark.parametrize("worker", [False, True])
def test_progress_grows_through_the_states_to_one(site: PageServer, tab: Tab, worker: bool) -> None:
    seen = run(tab, worker=worker)["seen"]
    fractions = [p["fraction"] for p in seen]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    states = list(dict.fromkeys(p["state"] for p in seen))
    assert states == ["detecting", "fetching", "preparing", "ready"]
    assert seen[-1]["loaded"] <= seen[-1]["total"]


def test_the_page_s_address_forces_a_target(site: PageServer, tab: Tab) -> None:
    tab.open(site.url + "/pages/plain.html?target=webgpu")
    assert fails(tab) == '"webgpu" is no target of this model; use one of: auto, js.'
    assert run(tab, target="js")["target"] == "js"


BAD_INPUTS = {
    "{}": 'run(): input "picture" is missing; give a Float32Array of 1×3×8×8 = 192 values.',
    "{picture: [1, 2]}": 'run(): input "picture" is of type Array; '
                         "give a Float32Array of 1×3×8×8 = 192 values.",
    "{picture: new Float32Array(5)}": 'run(): input "picture" has 5 values; '
                                      "give a Float32Array of 1×3×8×8 = 192 values.",
    "{image: new Float32Array(192)}": 'run(): the model has no input "image"; '
                                      'its inputs are "picture".',
    "{picture: new Float64Array(192)}": 'run(): input "picture" is of type Float64Array; '
                                        "give a Float32Array of 1×3×8×8 = 192 values.",
}


@pytest.mark.parametrize("inputs", BAD_INPUTS)
def test_wrong_inputs_are_explained(site: PageServer, tab: Tab, inputs: str) -> None:
    said = tab.js(f"""(async () => {{
      const {{ load }} = await import("/rt/onnxpress.js");
      const model = await load("/tiny/manifest.json");
      return model.run({inputs}).catch((e) => e.message).finally(() => model.dispose());
    }})()""")
    assert said == BAD_INPUTS[inputs]


def test_every_type_of_onnx_has_its_array(site: PageServer, tab: Tab) -> None:
    got = tab.js("""(async () => {
      const { readInputs, writeOutputs } = await import("/rt/tensors.js");
      const port = (dtype) => ({ name: dtype, shape: [2], dtype });
      const ports = ["f32", "f64", "f16", "bool", "i8", "u8", "i16", "u16", "i32", "u32", "i64",
        "u64"].map(port);
      const out = writeOutputs(ports, ports.map(() => new Float32Array([1, 0])));
      const back = readInputs(ports, out);
      return [Object.values(out).map((a) => a.constructor.name), back.every((a) => a[0] === 1)];
    })()""")
    assert got == [["Float32Array", "Float64Array", "Float32Array", "Uint8Array", "Int8Array",
                    "Uint8Array", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
                    "BigInt64Array", "BigUint64Array"], True]


@pytest.mark.parametrize("dtype, array, last", [
    ("i64", "BigInt64Array", "-16777216n"), ("u64", "BigUint64Array", "16777216n"),
    ("i32", "Int32Array", "-16777216"), ("u32", "Uint32Array", "16777216")])
def test_an_integer_that_f32_would_round_is_refused(
        site: PageServer, tab: Tab, dtype: str, array: str, last: str) -> None:
    got = tab.js(f"""(async () => {{
      const {{ readInputs }} = await import("/rt/tensors.js");
      const ports = [{{ name: "id", shape: [2], dtype: "{dtype}" }}];
      const read = (...values) => readInputs(ports, {{ id: {array}.from(values) }});
      const good = [...read({last}, {last})[0]].map(String);
      try {{ read({last}, {last} * 2{last.endswith("n") * "n"}); }}
      catch (e) {{ return [good, e.message]; }}
    }})()""")
    number = last.rstrip("n")
    assert got == [[number, number],
                   f'run(): input "id" holds {2 * int(number)} at place 1; give integers from '
                   "-16777216 to 16777216, which this model computes with exactly."]


def test_integers_end_where_their_type_does(site: PageServer, tab: Tab) -> None:
    """The f32 nearest to the largest i32, 2**31, would become the least one in a typed array."""
    got = tab.js("""(async () => {
      const { writeOutputs } = await import("/rt/tensors.js");
      const values = new Float32Array([2 ** 64, 2 ** 31, -(2 ** 63), NaN, Infinity, 7]);
      const ports = ["i32", "u32", "i64", "u64"].map((d) => ({ name: d, shape: [6], dtype: d }));
      return Object.values(writeOutputs(ports, ports.map(() => values)))
        .map((array) => [...array].map(String));
    })()""")
    i32, u32, i64, u64 = 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1
    assert [[int(v) for v in row] for row in got] == [
        [i32, i32, -i32 - 1, 0, i32, 7], [u32, 2**31, 0, 0, u32, 7],
        [i64, 2**31, -i64 - 1, 0, i64, 7], [u64, 2**31, 0, 0, u64, 7]]


def test_a_load_can_be_stopped(site: PageServer, tab: Tab) -> None:
    got = tab.js("""(async () => {
      const { load } = await import("/rt/onnxpress.js");
      const names = [];
      for (const worker of [false, true]) {
        const stop = new AbortController();
        const loading = load("/tiny/manifest.json", { worker, signal: stop.signal });
        stop.abort();
        names.push(await loading.catch((e) => e.name));
      }
      return names;
    })()""")
    assert got == ["AbortError", "AbortError"]


def test_a_disposed_model_says_so(site: PageServer, tab: Tab) -> None:
    got = tab.js("""(async () => {
      const { load } = await import("/rt/onnxpress.js");
      const said = [];
      for (const worker of [false, true]) {
        const model = await load("/tiny/manifest.json", { worker });
        model.dispose();
        said.push(await model.run({ picture: new Float32Array(192) }).catch((e) => e.code));
      }
      return said;
    })()""")
    assert got == ["disposed", "disposed"]


# --- damaged downloads ---


def corrupt(answer: Answer) -> Answer:
    status, kind, body = answer
    return status, kind, bytes([body[0] ^ 1]) + body[1:]


def html(answer: Answer) -> Answer:
    return 200, "text/html", b"<!DOCTYPE html><title>Not here</title>"


def short(answer: Answer) -> Answer:
    return answer[0], answer[1], answer[2][:-3]


def missing(answer: Answer) -> Answer:
    return 404, "text/html", b"<!doctype html>no"


SHARD = "/tiny/weights-b.bin"
AGAIN = ("Reload the page; if that does not help, the site needs to publish its files again.")
DAMAGE = {
    corrupt: f"weights-b.bin: the bytes are not the published ones (sha256). {AGAIN}",
    html: f"weights-b.bin: the server sent a web page in place of this file. {AGAIN}",
    short: "weights-b.bin: the server sent only 37 bytes where 40 were published. " + AGAIN,
}


@pytest.mark.parametrize("fault", DAMAGE, ids=lambda f: f.__name__)
def test_a_damaged_file_is_fetched_once_more(site: PageServer, tab: Tab, fault: Any) -> None:
    site.faults[SHARD] = [fault]
    assert run(tab)["target"] == "js"
    assert site.requests[SHARD] == 2


@pytest.mark.parametrize("fault", DAMAGE, ids=lambda f: f.__name__)
def test_a_file_damaged_twice_is_an_error(site: PageServer, tab: Tab, fault: Any) -> None:
    site.faults[SHARD] = [fault, fault]
    assert fails(tab) == DAMAGE[fault]


def test_a_missing_file_is_not_asked_for_twice(site: PageServer, tab: Tab) -> None:
    site.faults[SHARD] = [missing]
    assert fails(tab) == (
        "weights-b.bin: the server answered 404. Reload the page, which may be older than its "
        "files; else the site lacks this file.")
    assert site.requests[SHARD] == 1


def test_a_page_in_place_of_the_manifest_is_named(site: PageServer, tab: Tab) -> None:
    site.faults["/tiny/manifest.json"] = [html, html]
    assert "the server sent a web page; give the URL of a manifest.json" in fails(tab)
    site.faults["/tiny/manifest.json"] = 2 * [lambda a: (200, "application/json", b"[]")]
    assert "this is no onnxpress manifest of format 1" in fails(tab)


def test_without_a_network_the_sentence_says_so(site: PageServer, tab: Tab) -> None:
    """Pauses pass at once; a watch for silence that looks at once would look for all its 20 s."""
    said = fails(tab, before="globalThis.fetch = () => Promise.reject(new TypeError('x')); "
                             "globalThis.setTimeout = (job, ms) => "
                             "void (ms < 10_000 && queueMicrotask(job))")
    assert said.endswith("the server cannot be reached. Check the network and try again.")


# --- storage ---


def test_a_second_visit_downloads_no_weights(site: PageServer, tab: Tab) -> None:
    run(tab)
    site.requests.clear()
    seen = run(tab)["seen"]
    assert not any("weights" in path for path in site.requests)
    assert seen[-1]["loaded"] > 0


def test_a_poisoned_cache_is_dropped(site: PageServer, tab: Tab) -> None:
    run(tab)
    tab.js("""(async () => {
      const cache = await caches.open("onnxpress");
      for (const key of await cache.keys()) await cache.put(key, new Response("poison"));
    })()""")
    site.requests.clear()
    assert run(tab)["target"] == "js"
    assert site.requests[SHARD] == 1


STORAGE = {
    "Object.defineProperty(globalThis, 'caches', { value: undefined })":
        "This browser keeps no files for this page; the next visit downloads them again.",
    "Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'))":
        "The browser's storage for this page is full; the files stay in memory this time.",
    "Object.defineProperty(crypto, 'subtle', { value: undefined })":
        "This page is not served over https, so the browser cannot verify downloaded files.",
}


@pytest.mark.parametrize("lack", STORAGE, ids=["no-cache", "no-room", "no-crypto"])
def test_what_the_browser_lacks_is_noted(site: PageServer, tab: Tab, lack: str) -> None:
    tab.js(f"{lack}, 0")
    got = run(tab)
    assert got["notes"] == [STORAGE[lack]]
    assert site.requests[SHARD] == 1


# --- fallback ---


@pytest.mark.parametrize("worker", [False, True])
def test_wrong_numbers_lead_to_the_next_target(site: PageServer, tab: Tab, worker: bool) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    got = run(tab, worker=worker)
    assert (got["target"], got["holds"]) == ("js", False)
    np.testing.assert_allclose(got["scores"], reference(PICTURE.reshape(3, SIDE, SIDE)), rtol=1e-5)
    reason = "WebAssembly failed: on this device its results differ from the reference"
    assert [(f["from"], f["to"]) for f in got["fallbacks"]] == [("wasm", "js")]
    assert got["fallbacks"][0]["reason"].startswith(reason)
    assert got["notes"][0].startswith(reason)
    assert got["reason"].startswith("JavaScript, which runs everywhere. "
                                    "WebAssembly is not used: it failed here (")
    fractions = [p["fraction"] for p in got["seen"]]
    assert fractions == sorted(fractions)


def test_a_forced_target_does_not_fall_back(site: PageServer, tab: Tab) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    assert fails(tab, target="wasm").startswith("WebAssembly failed: on this device its results")


@pytest.mark.parametrize("worker", [False, True])
def test_a_model_that_nobody_runs_is_checked_as_well(
        site: PageServer, tab: Tab, worker: bool) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    got = loaded(tab, """
      const told = [model.target, model.check, await model.checked, model.target,
        model.check.maxError <= model.check.tolerance, await model.checked];
      model.dispose();
      return told;""", worker=worker)
    assert got == ["wasm", None, False, "js", True, True]


@pytest.mark.parametrize("worker", [False, True])
def test_who_waits_for_the_check_of_a_model_that_is_disposed_is_told(
        site: PageServer, tab: Tab, worker: bool) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    said = loaded(tab, """
      setTimeout(() => model.dispose());
      return model.checked.catch(({ code }) => code);""", worker=worker)
    assert said == "disposed"


def test_a_target_whose_program_is_missing_is_left(site: PageServer, tab: Tab) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    site.faults["/tiny/idle.wasm"] = [missing]
    assert run(tab)["target"] == "js"


def test_a_crash_while_preparing_is_remembered(site: PageServer, tab: Tab) -> None:
    publish(site, tiny_pack(idle_wasm=True))
    tab.js(f"sessionStorage.setItem('onnxpress:preparing:{site.url}/tiny/manifest.json', 'wasm')")
    got = run(tab)
    assert got["reason"] == ("JavaScript, which runs everywhere. WebAssembly is not used: "
                             "the page broke off while preparing it last time.")
    assert got["fallbacks"] == []


def test_no_mark_stays_after_a_sound_load(site: PageServer, tab: Tab) -> None:
    run(tab)
    assert tab.js("Object.keys(sessionStorage).length") == 0


def test_a_lost_device_is_reopened_once(site: PageServer, tab: Tab) -> None:
    """The module reports a loss on its second run, as the WebGPU backend does."""
    module = tiny_pack()["module.js"].decode().replace(
        "export function run(H) {",
        "globalThis.runs ??= 0; export function run(H) { if (++runs === 2 || runs === LOSS) "
        "throw Object.assign(new Error('gone'), { code: 'webgpu-lost' });")
    for again, wanted in [("0", "js"), ("4", "JavaScript failed: gone.")]:
        publish(site, tiny_pack(module=module.replace("LOSS", again)))
        tab.open(site.url + "/pages/plain.html")
        got = run(tab)["target"] if again == "0" else fails(tab)
        assert got == wanted


def test_all_errors_are_sentences(site: PageServer, tab: Tab) -> None:
    publish(site, tiny_pack(module="export function run( {"))
    said = fails(tab)
    assert said.startswith("JavaScript failed: ") and said.endswith(".")
    with pytest.raises(TabError, match="JavaScript failed"):
        run(tab, worker=True)
