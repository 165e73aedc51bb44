/** A generated WebAssembly module on its memory. */

/** @typedef {Object<string, (...numbers: number[]) => number>} Functions  A module's exports. */

/**
 * Part 0 of 1, with no bytes of its own: what a program's exports take where one thread runs all.
 */
export const ALONE = [0, 1, 0];

/** @param {string} base64 a module inside a script; emit/embed.py writes it there */
export const embedded = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

/** @param {number} pages of 64 KiB @param {boolean} [shared] between threads */
export const memoryOf = (pages, shared = false) =>
  new WebAssembly.Memory({ initial: pages, maximum: pages, shared });

/**
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} memory
 * @returns {Promise<Functions>}
 */
export async function instantiate(module, memory) {
  const instance = await WebAssembly.instantiate(module, { "": { memory, barrier() {} } });
  return functionsOf(instance);
}

/** @param {WebAssembly.Instance} instance  of a module that exports functions only */
export const functionsOf = ({ exports }) => /** @type {Functions} */ (exports);

/**
 * @param {{elements: number}} about  the f32 elements of the program's heap
 * @param {WebAssembly.Memory} memory
 */
export const heapOf = ({ elements }, memory) => new Float32Array(memory.buffer, 0, elements);
