/** A generated WebAssembly module on its memory. */

/** The first of one thread, which has nothing of its own: arguments of a program's exports. */
export const ALONE = [0, 1, 0];

/** @param {string} base64 a module inside a script; emit/embed.py writes it there */
export const embedded = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

/** @param {number} pages of 64 KiB @param {boolean} [shared] */
export const memoryOf = (pages, shared = false) =>
  new WebAssembly.Memory({ initial: pages, maximum: pages, shared });

/** @param {WebAssembly.Module} module @param {WebAssembly.Memory} memory */
export async function instantiate(module, memory) {
  const { exports } = await WebAssembly.instantiate(module, { "": { memory, barrier() {} } });
  return exports;
}

/** @param {{elements: number}} about @param {WebAssembly.Memory} memory */
export const heapOf = ({ elements }, memory) => new Float32Array(memory.buffer, 0, elements);
