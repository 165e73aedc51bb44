/** Which build of a WebAssembly program runs here, and which one is the fastest. */

/** @typedef {import("../contract.d.ts").Verdict} Verdict */

const WORTH = 1e9; // multiply-adds: for fewer, finding out what is faster costs several runs

// (module (func (result v128) (i32x4.splat (i32.const 0))))
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
  10, 8, 1, 6, 0, 65, 0, 253, 17, 11,
];
// (module (func (result v128) (f32x4.relaxed_madd x x x))), x as above
const RELAXED = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
  10, 19, 1, 17, 0, 65, 0, 253, 17, 65, 0, 253, 17, 65, 0, 253, 17, 253, 133, 2, 11,
];

/**
 * The build in f32; before it a build of whole numbers, where one is faster.
 * @param {import("../../types.js").WasmTarget} target
 * @returns {Promise<Verdict[]>}
 */
export async function probeWasm({ files, work, arithmetic }) {
  const plain = probeFloats(files);
  if ("refusal" in plain || !work || !arithmetic || work.f32 < WORTH) return [plain];
  // A build that cannot be timed is not taken; f32 runs in any case.
  const found = await import("./probe.js")
    .then(({ fastestBuild }) => fastestBuild({ files, work, arithmetic }, plain.build))
    .catch(() => null);
  if (!found) return [plain];
  const speed = found.speed.toFixed(1);
  const reason = `with products of whole numbers, about ${speed} times as fast here as in f32`;
  return [{ build: found.build, reason }, plain];
}

/**
 * @param {Object<string, unknown>} files
 * @returns {{build: ISA, reason: string} | import("../contract.d.ts").Refusal}
 *
 * @typedef {import("./probe.js").ISA} ISA
 */
function probeFloats(files) {
  if (typeof WebAssembly !== "object") {
    return { refusal: "this browser has WebAssembly switched off" };
  }
  try {
    // A content security policy without 'wasm-unsafe-eval' shows only when a module is made.
    new WebAssembly.Module(new Uint8Array(SIMD.slice(0, 8)));
  } catch {
    return { refusal: "the page's content security policy does not allow it" };
  }
  if (files.relaxed && WebAssembly.validate(new Uint8Array(RELAXED))) {
    return { build: "relaxed", reason: "with fused vector arithmetic (relaxed SIMD)" };
  }
  if (files.simd128 && WebAssembly.validate(new Uint8Array(SIMD))) {
    return { build: "simd128", reason: "with vector arithmetic (SIMD)" };
  }
  return { refusal: "this browser's WebAssembly has no vector arithmetic (SIMD)" };
}
