/** A program's file -> its module. */

/**
 * Compiles while the file comes, if it comes in parts. The module is used once the file is
 * verified.
 * @param {import("../contract.d.ts").FetchFile} fetchFile
 * @param {import("../../types.js").FileEntry} entry
 * @param {boolean} shared  whether threads will share its memory
 * @returns {Promise<WebAssembly.Module>}
 */
export async function compile(fetchFile, entry, shared) {
  if (shared) return WebAssembly.compile(sharing(await fetchFile(entry)));
  /** @type {Compiling|undefined} */
  let compiling;
  let length = 0;
  const stop = () => { length = NaN; };
  const bytes = await fetchFile(entry, (part, at) => {
    if (part.length === entry.bytes) return stop();
    compiling ??= compileStream(stop);
    if (at !== length) return stop(); // parts of two tries do not make one file
    compiling.stream.enqueue(part);
    length += part.length;
  }).finally(() => {
    if (length !== entry.bytes) compiling?.stream.error();
  });
  if (!compiling || length !== entry.bytes) return WebAssembly.compile(bytes);
  compiling.stream.close();
  return compiling.module;
}

/**
 * @typedef {Object} Compiling
 * @property {ReadableStreamDefaultController<Uint8Array>} stream  takes the file
 * @property {Promise<WebAssembly.Module>} module
 *
 * @param {() => void} stop  called where the file is no program
 * @returns {Compiling}
 */
function compileStream(stop) {
  /** @type {Partial<Compiling>} */
  const compiling = {};
  const body = new ReadableStream({
    start(controller) { compiling.stream = controller; },
    cancel: stop,
  });
  const headers = { "Content-Type": "application/wasm" }; // whatever the host calls it
  compiling.module = WebAssembly.compileStreaming(new Response(body, { headers }));
  compiling.module.catch(() => {}); // the file's fault is told where it is verified
  return /** @type {Compiling} */ (compiling);
}

/**
 * The same program for a shared memory: the byte of flags behind the name and the kind of its
 * imported memory says so.
 * @param {ArrayBuffer} bytes
 */
function sharing(bytes) {
  const code = new Uint8Array(bytes.slice(0));
  const start = String.fromCharCode(...code.subarray(0, 4096));
  code[start.indexOf("memory\x02\x01") + "memory\x02".length] = 3;
  return code;
}
