/**
 * Times the WebAssembly builds of a pack in Node 24 or later, interleaved, and says which one a
 * visitor's browser would take:
 *
 *   onnxpress compile resnet50.onnx --weights int8 --out pack
 *   node tests/support/bench_builds.mjs pack [runs]
 *
 * The pack brings the runtime that is timed.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder = ".", runs = "20"] = process.argv.slice(2);
const at = (name) => resolve(folder, name);
const {
  $targets_wasm: { open }, $model_detect: { detect }, $model_golden: { goldenError, goldenInputs },
  $load_weights: { streamWeights },
} = await import(pathToFileURL(at("onnxpress.js")).href);

const manifest = JSON.parse(await readFile(at("manifest.json"), "utf8"));
const { wasm } = manifest.targets;
const file = async ({ url }) => Uint8Array.from(await readFile(at(url))).buffer;
const inputs = goldenInputs(manifest.golden, manifest.inputs);

const programs = [];
for (const build of Object.keys(wasm.files)) {
  const started = performance.now();
  const model = await open(wasm, file, streamWeights(manifest, { file }), { build });
  const ready = performance.now() - started;
  const golden = wasm.arithmetic?.[build.split("-")[0]]?.golden ?? manifest.golden;
  const error = goldenError(golden, await model.run(inputs));
  if (!(error <= golden.tolerance)) throw new Error(`${build}: off by ${error}`);
  programs.push({ build, model, ready, error, times: [] });
}
for (let i = 0; i < Number(runs) + 3; i++) {
  for (const { model, times } of programs) {
    const started = performance.now();
    await model.run(inputs);
    if (i >= 3) times.push(performance.now() - started); // the engine's optimizer is done by then
  }
}
console.table(programs.map(({ build, ready, error, times }) => {
  times.sort((a, b) => a - b);
  return { build, "min ms": +times[0].toFixed(2), "median ms": +times[times.length >> 1].toFixed(2),
    "load ms": +ready.toFixed(0), error: +error.toPrecision(2) };
}));
const { candidates: [chosen] } = await detect(manifest, "wasm");
console.log(`chosen here: ${chosen.build}, ${chosen.reason}`);
