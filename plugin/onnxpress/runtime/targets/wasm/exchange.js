/**
 * What workers without a shared memory tell each other, as the program's own file says.
 *
 * @typedef {Object} Exchange
 * @property {number[]} phases  of each step
 * @property {Set<number>} whole  the phases that all workers do, since a share would not pay
 * @property {Message[]} messages
 *
 * @typedef {Object} Message
 * @property {number} after  which phase it is sent
 * @property {number} before  which phase it is needed, or after the last
 * @property {number} sender
 * @property {number} receiver
 * @property {number[][]} runs  [offset, length, count, stride], in elements of the heap
 */

/** @param {WebAssembly.Module} module @param {number} workers @returns {Exchange} */
export function exchangeOf(module, workers) {
  const numbers = read(new Uint8Array(WebAssembly.Module.customSections(module, "exchange")[0]));
  const next = () => numbers.next().value;
  const list = (item) => Array.from({ length: next() }, item);
  const phases = list(next);
  for (;;) {
    const found = next();
    let last = 0, before = 0, at = 0;
    const whole = new Set(list(() => (last += next())));
    const messages = list(() => ({
      before: before += next(), after: before - next(), sender: next(), receiver: next(),
      runs: list(() => [at += next(), next(), next(), next()]),
    }));
    if (found === workers) return { phases, whole, messages };
  }
}

/** Numbers in signed LEB128. @param {Uint8Array} bytes */
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
