/**
 * Engines compile WebAssembly twice: quickly at first, and well when a function has run for a
 * while. A call that has begun stays slow to its end. So while the weights are on their way, every
 * step of a large model is called on a small part of its work.
 */
/** Floating-point operations: a first run with fewer ends before the good code is there. */
const WORTH = 1e9;
/** Each step does one of so many: engines notice it, and all take a fifth of a slow run. */
const PARTS = 16;
const SLICE = 8; // ms until other work on this thread has a turn

/**
 * @param {import("../../load/instance.js").Functions} exports  of a program whose heap holds
 *   nothing yet, and whose barrier does not wait
 * @param {Pick<import("../common/linear.js").LinearAbout, "steps">} about
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
