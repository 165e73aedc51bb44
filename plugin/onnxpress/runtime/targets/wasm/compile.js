/** A program's file -> its module. */

/** @typedef {(entry: import("../../types.js").FileEntry, onPart?: import("../../load/request.js").OnPart) =>
 *   Promise<ArrayBuffer>} FetchFile */

/**
 * Compiles while the file comes, if it does in parts; the module counts once the file is verified.
 * @param {FetchFile} fetchFile
 * @param {import("../../types.js").FileEntry} entry
 * @param {boolean} shared  whether its memory will be
 * @returns {Promise<WebAssembly.Module>}
 */
export async function compile(fetchFile, entry, shared) {
  if (shared) return WebAssembly.compile(sharing(await fetchFile(entry)));
  let stream, module, length = 0;
  const stop = () => { length = NaN; };
  const bytes = await fetchFile(entry, (part, at) => {
    if (part.length === entry.bytes) return stop();
    if (!stream) [stream, module] = compileStream(stop);
    if (at !== length) return stop(); // parts of two tries are not to be mixed
    stream.enqueue(part);
    length += part.length;
  }).finally(() => {
    if (length !== entry.bytes) stream?.error();
  });
  if (length !== entry.bytes) return WebAssembly.compile(bytes);
  stream.close();
  return module;
}

/**
 * @param {() => void} stop  called where what comes is no program
 * @returns {[ReadableStreamDefaultController, Promise<WebAssembly.Module>]}
 */
function compileStream(stop) {
  let stream;
  const body = new ReadableStream({ start(controller) { stream = controller; }, cancel: stop });
  const headers = { "Content-Type": "application/wasm" }; // whatever the host calls it
  const module = WebAssembly.compileStreaming(new Response(body, { headers }));
  module.catch(() => {}); // the file's fault is told by who verifies it
  return [stream, module];
}

/**
 * The same program for a shared memory: its one import of a memory says so in the byte of flags that
 * follows the name and the kind.
 * @param {ArrayBuffer} bytes
 */
function sharing(bytes) {
  const code = new Uint8Array(bytes.slice(0));
  const start = String.fromCharCode(...code.subarray(0, 4096));
  code[start.indexOf("memory\x02\x01") + "memory\x02".length] = 3;
  return code;
}
