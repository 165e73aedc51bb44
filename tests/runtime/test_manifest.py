"""A spoiled manifest loads and runs right, or ends in a sentence; Python and browsers agree."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxpress.demo.demo import press_demo
from onnxpress.errors import PackError
from onnxpress.manifest.manifest import Manifest, read_manifest
from onnxpress.manifest.schema import json_schema
from onnxpress.manifest.sense import misfits
from onnxpress.pack.shapes import Record
from onnxpress.pack.values import faults, from_json, to_json
from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from onnxpress.site.recheck import recheck
from onnxpress.spec import load_demo
from support.mutations import mutate
from support.node import find_node
from support.site_folder import copy_site

COUNT = 200
# How engines begin the text of an error that no sentence of ours explains.
RAW = re.compile(r"undefined|null \(|not a function|not iterable|Cannot (read|set|destruct|conv)|"
                 r"is not (an object|defined|valid)|Invalid (typed array|array|URL)|out of bounds|"
                 r"out of range|Illegal|allocation failed|Failed to|NaN|\[object")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the fixture site's classifier, as a site publishes it."""
    site = copy_site(tmp_path_factory.mktemp("spoiled"))
    demo = load_demo(site / "docs/sums.yml", site / "models")
    press_demo(demo, site / "pack", site / "downloads")
    return site / "pack"


@pytest.fixture(scope="module")
def spoiled(pack: Path) -> dict[str, Any]:
    """What was done -> a manifest."""
    sound = json.loads((pack / "manifest.json").read_text("utf-8"))
    found: dict[str, Any] = {}
    seed = 0
    while len(found) < COUNT:
        what, value = mutate(sound, seed)
        seed += 1
        if value != sound:
            found[what] = value
    return found


def fault_in_python(value: Any) -> str:
    fault = next(faults(Record(Manifest), value), None)
    fault = fault or next(misfits(from_json(Manifest, value, "m")), None)
    return f"{fault.place}: {fault.what}" if fault else ""


CHECK = """
import { readFile } from "node:fs/promises";
import { faultOf } from "%s";
import { misfitOf } from "%s";
const told = (value) => {
  const fault = faultOf("Manifest", value) ?? misfitOf(value);
  return fault ? `${fault.place}: ${fault.what}` : "";
};
const all = JSON.parse(await readFile(process.argv[2], "utf8"));
console.log(JSON.stringify(all.map(told)));
"""


def test_python_and_browsers_find_the_same(spoiled: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "all.json").write_text(json.dumps(list(spoiled.values())), "utf-8")
    modules = [(RUNTIME / f"load/{name}.js").as_uri() for name in ("check", "sense")]
    (tmp_path / "check.mjs").write_text(CHECK % tuple(modules), "utf-8")
    done = subprocess.run([find_node(), "check.mjs", "all.json"], cwd=tmp_path, encoding="utf-8",
                          capture_output=True, check=True)
    here = [fault_in_python(value) for value in spoiled.values()]
    there = json.loads(done.stdout)
    places = [[told.partition(": ")[0] for told in side] for side in (here, there)]
    differ = [row for row in zip(spoiled, here, there, *places, strict=True) if row[3] != row[4]]
    assert not differ
    assert COUNT / 3 < sum(map(bool, here)) < COUNT


def test_the_schema_admits_what_the_check_admits(spoiled: dict[str, Any], pack: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema(Manifest, "A manifest")
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    validator.validate(json.loads((pack / "manifest.json").read_text("utf-8")))
    for what, value in spoiled.items():
        fault = next(faults(Record(Manifest), value), None)
        assert validator.is_valid(value) == (fault is None), (what, fault)


def test_a_manifest_is_written_as_it_was_read(pack: Path) -> None:
    path = pack / "manifest.json"
    manifest = read_manifest(path)
    assert list(misfits(manifest)) == []
    assert json.dumps(to_json(manifest)) == json.dumps(json.loads(path.read_text("utf-8")))


def test_verify_answers_with_a_sentence(spoiled: dict[str, Any], pack: Path) -> None:
    refused = 0
    for what, value in spoiled.items():
        if not fault_in_python(value):
            continue
        path = pack / "spoiled.json"
        path.write_text(json.dumps(value), "utf-8")
        with pytest.raises(PackError, match=r"spoiled\.json: ") as caught:
            recheck(path)
        assert str(caught.value).count("\n") == 0, what
        refused += 1
    assert refused


@pytest.mark.parametrize("spoil, sentence", [
    (lambda m: m["targets"]["wasm"].pop("files"), "targets.wasm.files: it is missing"),
    (lambda m: m["weights"]["tensors"][0].update(bytes=-4),
     r"weights.tensors\[0\].bytes: it must be a whole number of at least 0, not -4"),
    (lambda m: m["golden"].update(metric="max"),
     'golden.metric: it must be "peak" or "l2", not "max"'),
    (lambda m: m.update(inputs={}), "inputs: it must be a list, not an object"),
    (lambda m: m["golden"].update(ranges=[]), "golden.ranges: 1 is needed here, not 0"),
    (lambda m: m["golden"].update(seed=2**40), "golden.seed: at most 4294967295 is possible"),
    (lambda m: m["golden"].update(outputs=[]), "golden.outputs: 1 is needed here, not 0"),
    (lambda m: m["targets"]["js"]["outputs"][0].update(offset=10**9),
     r"targets.js.outputs\[0\].offset: at most \d+ is possible here"),
    (lambda m: m["demo"]["task"].update(output="z"),
     'demo.task.output: nothing here is named "z"'),
])
def test_a_sentence_names_the_place(pack: Path, spoil: Any, sentence: str) -> None:
    manifest = json.loads((pack / "manifest.json").read_text("utf-8"))
    spoil(manifest)
    (pack / "one.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(PackError, match=f"one.json: {sentence}.*; build the pack again$"):
        recheck(pack / "one.json")


@pytest.mark.parametrize("spoil", [
    lambda wasm: wasm["weights"][0].update(pack=""),
    lambda wasm: wasm["weights"][0].update(args=[1, 2, 3]),
])
def test_a_program_that_does_not_fit_its_manifest_ends_in_a_sentence(
        pack: Path, spoil: Any) -> None:
    """No check of the manifest alone can see this: the program decides what it exports."""
    manifest = json.loads((pack / "manifest.json").read_text("utf-8"))
    spoil(manifest["targets"]["wasm"])
    (pack / "one.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(PackError, match=r"one.json: wasm \w+ does not fit its manifest \(.*\); "):
        recheck(pack / "one.json")


PLACE = """
import { placeWeights } from "%s";
import { placer } from "%s";
const about = { staging: 0, weights: [{ tensor: "w", offset: 0, pack: "none", args: [] }] };
const place = placer(about, {}, new WebAssembly.Memory({ initial: 1 }));
async function* weights() {
  yield { name: "w", stored: { encoding: "f32", shape: [1], bytes: new Uint8Array(4) } };
}
await placeWeights(about, Promise.resolve({ place }), weights()).catch((error) => (
  console.log(`${error.name}: ${error.message}`)));
"""


def test_a_browser_says_so_too(tmp_path: Path) -> None:
    modules = [(RUNTIME / f"targets/{name}.js").as_uri()
               for name in ("common/linear", "wasm/place")]
    (tmp_path / "place.mjs").write_text(PLACE % tuple(modules), "utf-8")
    done = subprocess.run([find_node(), "place.mjs"], cwd=tmp_path, encoding="utf-8",
                          capture_output=True, check=True)
    assert done.stdout.strip() == ('PressError: the program cannot take the constant "w": '
                                   "it and its manifest are of different builds")


RUN = """
import { PressError, load } from "/runtime/onnxpress.js";
import { createDemo } from "/runtime/page/demo.js";
import { fetchManifest } from "/runtime/load/fetch.js";
const attempt = async (url, target, feeds) => {
  try {
    const manifest = await fetchManifest(new URL(url, location.href).href);
    await createDemo(manifest, new URL(url, location.href).href, () => {});
    const model = await load(url, { target });
    try {
      const inputs = Object.fromEntries(model.inputs.map(({ name }, i) => (
        [name, Float32Array.from(feeds[i])])));
      let found = await model.run(inputs);
      if (!(await model.checked)) found = await model.run(inputs);
      return { outputs: model.outputs.map(({ name }) => Array.from(found[name])) };
    } finally {
      model.dispose();
    }
  } catch (error) {
    return { error: error.message, sentence: error instanceof PressError };
  }
};
export const run = async ({ urls, targets, feeds }) => {
  const value = [];
  for (const [i, url] of urls.entries()) value.push(await attempt(url, targets[i], feeds));
  return { value };
};
"""


def test_a_spoiled_manifest_runs_right_or_ends_in_a_sentence(
        browser: Browser, spoiled: dict[str, Any], pack: Path) -> None:
    sound = read_manifest(pack / "manifest.json")
    folder = pack.relative_to(browser.folders["/tmp/"]).as_posix()
    random = np.random.default_rng(1)
    feeds = [random.uniform(0, 1, port.shape).astype(np.float32) for port in sound.inputs]
    urls = ["manifest.json"]
    for i, value in enumerate(spoiled.values()):
        urls.append(f"spoiled-{i}.json")
        (pack / urls[-1]).write_text(json.dumps(value), "utf-8")
    targets = [("auto", "js", "wasm")[i % 3] for i in range(len(urls))]
    want, *found = browser.run(RUN, {
        "urls": [f"/tmp/{folder}/{url}" for url in urls], "targets": targets,
        "feeds": [feed.ravel().tolist() for feed in feeds]}, timeout=600).value
    bad = []
    for what, answer in zip(spoiled, found, strict=True):
        if "error" in answer:
            if not answer["sentence"] or RAW.search(answer["error"]):
                bad.append((what, answer["error"]))
        elif not np.allclose(np.concatenate(answer["outputs"]), np.concatenate(want["outputs"]),
                             rtol=1e-3, atol=1e-5):
            bad.append((what, "runs wrong"))
    assert not bad
    assert sum("error" in answer for answer in found) > COUNT / 3
