/** How many threads a model runs on here. */
import { PressError } from "./errors.js";

const FEW = 4; // processors that are all used; of more, half are siblings or slow cores of others
const MOST = 64;

/**
 * @param {"auto"|number} asked
 * @param {{threads: number}} about the program: beyond so many threads no more pay
 * @returns {{threads: number, refusal?: string}} `refusal`: why they are not as many as asked for
 * @throws {PressError} "threads"
 */
export function threadsHere(asked, { threads: paying }) {
  const auto = asked === "auto";
  if (!auto && !(Number.isInteger(asked) && asked >= 1 && asked <= MOST)) {
    throw new PressError("threads",
      `threads: ${asked} is not auto or a whole number from 1 to ${MOST}.`);
  }
  if (asked === 1) return { threads: 1 };
  if (!globalThis.crossOriginIsolated || typeof SharedArrayBuffer !== "function") {
    const refusal = "Several threads need a page that is cross-origin isolated; one thread runs.";
    return auto ? { threads: 1 } : { threads: 1, refusal };
  }
  if (!auto) return { threads: asked };
  const cores = navigator.hardwareConcurrency ?? 1;
  return { threads: Math.min(paying, cores > FEW ? Math.max(FEW, cores >> 1) : cores) };
}
