/** How many threads a model runs on here. */
import { PressError } from "../../errors.js";

const FEW = 4; // cores: all of so few are used. Of more, half may be siblings or slow ones
const MOST = 64; // threads

/** Whether threads may share a memory here. Else they are workers with memories of their own. */
export const sharesMemory = () =>
  Boolean(globalThis.crossOriginIsolated) && typeof SharedArrayBuffer === "function";

/**
 * @param {"auto"|number} asked
 * @param {import("../../types.js").WasmTarget} about
 * @returns {{threads: number, refusal?: string}} `refusal`: a sentence on why they are fewer than
 *   asked
 * @throws {PressError} "threads": `asked` is no number of threads
 */
export function threadsHere(asked, { threads: paying, workers = 1, most_workers: known = 1 }) {
  const auto = asked === "auto";
  if (!auto && !(Number.isInteger(asked) && asked >= 1 && asked <= MOST)) {
    throw new PressError("threads",
      `threads: ${asked} is not auto or a whole number from 1 to ${MOST}.`);
  }
  const shared = sharesMemory();
  if (auto) {
    const said = navigator.hardwareConcurrency; // some browsers hide it: absent, 0 or NaN
    const cores = said >= 1 ? Math.floor(said) : 1;
    const free = cores > FEW ? Math.max(FEW, cores >> 1) : cores;
    return { threads: Math.min(shared ? paying : workers, free) };
  }
  const most = shared ? MOST : known;
  if (asked <= most) return { threads: asked };
  const refusal = most > 1
    ? `Where the page is not cross-origin isolated, this model runs on up to ${most} threads.`
    : "Where the page is not cross-origin isolated, this model is run on one thread: for several " +
      "workers, each with the whole model, it is too small or too large.";
  return { threads: most, refusal };
}
