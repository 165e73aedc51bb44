/**
 * An error that a person can act on: the message says where, what, and what instead.
 * `code` is for programs: manifest, outdated, download, integrity, browser, target, input, golden,
 * prepare, threads, picture, disposed, webgpu-lost.
 */
export class PressError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{cause?: unknown, file?: string, final?: boolean}} [more] `file`: the URL in the
   *   manifest; `final`: another try would give the same
   */
  constructor(code, message, { cause, file, final } = {}) {
    super(message, { cause });
    this.name = "PressError";
    this.code = code;
    this.file = file;
    this.final = final;
  }
}

/** @returns {PressError} for who asks a model that is no more */
export const gone = () =>
  new PressError("disposed", "run(): the model is disposed; load() it again.");

/** @param {unknown} error @returns {boolean} true where somebody asked to stop */
export function isAbort(error) {
  return error?.name === "AbortError";
}

/** @param {unknown} error @returns {string} one sentence for a person */
export function sentence(error) {
  const text = String(error?.message ?? error).trim() || "unknown error";
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** @param {unknown} error @returns {{code?: string, name: string, message: string}} */
export function packError(error) {
  return { code: error?.code, name: error?.name ?? "Error", message: error?.message ?? `${error}` };
}

/** The inverse of packError. @param {{code?: string, name: string, message: string}} packed */
export function unpackError({ code, name, message }) {
  if (name === "AbortError") return new DOMException(message, name);
  return new PressError(code, message);
}
