/**
 * The messages of workers without a shared memory. The program's own file lists them, in its
 * section "exchange" (programs/wasm/exchange.py).
 *
 * @typedef {Object} Exchange
 * @property {number[]} phases  how many phases each step has
 * @property {Set<number>} whole  phases that every worker does alone, as sharing them would not pay
 * @property {Message[]} messages
 *
 * @typedef {Object} Message
 * @property {number} after  the phase that computes its elements
 * @property {number} before  the phase that needs them; the count of phases where none does
 * @property {number} sender
 * @property {number} receiver
 * @property {Run[]} runs
 *
 * @typedef {[offset: number, length: number, count: number, stride: number]} Run  `count` pieces of
 *   `length` elements that lie `stride` apart, the first one at `offset` of the heap
 */

/** @param {WebAssembly.Module} module @param {number} workers @returns {Exchange} */
export function exchangeOf(module, workers) {
  const numbers = read(new Uint8Array(WebAssembly.Module.customSections(module, "exchange")[0]));
  const next = () => numbers.next().value ?? 0;
  /**
   * @template T
   * @param {() => T} item
   * @returns {T[]}
   */
  const list = (item) => Array.from({ length: next() }, item);
  const phases = list(next);
  for (;;) {
    const found = next();
    let last = 0, before = 0, at = 0;
    const whole = new Set(list(() => (last += next())));
    /** @returns {Run} */
    const run = () => [at += next(), next(), next(), next()];
    const messages = list(() => ({
      before: before += next(), after: before - next(), sender: next(), receiver: next(),
      runs: list(run),
    }));
    if (found === workers) return { phases, whole, messages };
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Generator<number, undefined>} its numbers in signed LEB128
 */
function* read(bytes) {
  let value = 0, shift = 0;
  for (const byte of bytes) {
    value |= (byte & 127) << shift;
    shift += 7;
    if (byte & 128) continue;
    yield byte & 64 && shift < 32 ? value | (-1 << shift) : value;
    value = shift = 0;
  }
}
