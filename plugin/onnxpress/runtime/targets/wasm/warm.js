/**
 * Engines compile WebAssembly twice: at once, and well when a function has run for a while; a call
 * that has begun stays slow to its end. So while the weights are on their way, every kernel of a model
 * that takes a while is called on a small part of its work.
 */
const WORTH = 1e9; // floating-point operations: a first run of fewer is over before the compiler is
const PARTS = 16; // of which each step does one: enough to be noticed, in a fifth of a slow run
const SLICE = 8; // ms until others on this thread have a turn

/**
 * @param {{step: (index: number, part: number, parts: number, own: number) => void}} exports of a
 *   program whose heap holds nothing yet, and whose barrier does not wait
 * @param {import("../common/linear.js").LinearAbout} about
 */
export async function warm(exports, { steps }) {
  if (steps.reduce((sum, [, flops]) => sum + flops, 0) < WORTH) return;
  let since = performance.now();
  for (let index = 0; index < steps.length; index++) {
    exports.step(index, 0, PARTS, 0);
    if (performance.now() - since < SLICE) continue;
    await new Promise((resolve) => { setTimeout(resolve); });
    since = performance.now();
  }
}
