/** A page in TypeScript that uses all of onnxpress.js; tests/support/tsc.py checks its types. */
import { load, OnnxDemo, PressError } from "./onnxpress.js";
import type { LoadOptions, Manifest, Model, TypedArray } from "./onnxpress.js";

const options: LoadOptions = {
  target: "auto",
  threads: 4,
  worker: true,
  signal: AbortSignal.timeout(10_000),
  onProgress: ({ state, fraction }) => console.log(state, fraction.toFixed(2)),
  onFallback: ({ from, to, reason }) => console.log(from, to, reason),
};

export async function classify(pixels: Float32Array): Promise<TypedArray> {
  const model: Model = await load(new URL("manifest.json", location.href), options);
  try {
    const { probabilities } = await model.run({ image: pixels }, { signal: options.signal });
    const shape: number[] = model.outputs[0].shape;
    const [{ label, ms }] = await model.profile({ image: pixels });
    console.log(model.target, model.reason, shape, label, ms, await model.checked);
    return probabilities;
  } catch (error) {
    if (error instanceof PressError) console.log(error.code, error.file);
    throw error;
  } finally {
    model.dispose();
  }
}

export const sizeOf = (manifest: Manifest): number => manifest.weights.bytes;

export const demos = (): OnnxDemo[] =>
  [...document.querySelectorAll("*")].filter((element) => element instanceof OnnxDemo);
