/**
 * An error that a person can act on: the message says where, what, and what instead.
 * `code` is for programs: manifest, outdated, download, integrity, browser, target, options,
 * input, golden, prepare, threads, picture, frames, disposed, webgpu-lost and others of webgpu-.
 */
export class PressError extends Error {
  /**
   * @param {string|undefined} code  undefined where an engine's own error is passed on
   * @param {string} message
   * @param {{cause?: unknown, file?: string, final?: boolean}} [more] `file`: the URL as in the
   *   manifest; `final`: another try would fail in the same way
   */
  constructor(code, message, { cause, file, final } = {}) {
    super(message, { cause });
    this.name = "PressError";
    this.code = code;
    this.file = file;
    this.final = final;
  }
}

/** @returns {PressError} for calls of a disposed model */
export const gone = () =>
  new PressError("disposed", "run(): the model is disposed; load() it again.");

/**
 * What a caught value says of itself. Anything can be thrown, so any field may be missing.
 * @param {unknown} error
 * @returns {Partial<PressError>}
 */
export const factsOf = (error) => Object(error);

/** @param {unknown} error @returns {boolean} whether it means that somebody asked to stop */
export const isAbort = (error) => factsOf(error).name === "AbortError";

/** @param {unknown} error @returns {string} one sentence for a person */
export function sentence(error) {
  const text = String(factsOf(error).message ?? error).trim() || "unknown error";
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/**
 * @typedef {{code?: string, name: string, message: string}} PackedError  It survives postMessage.
 */

/** @param {unknown} error @returns {PackedError} */
export function packError(error) {
  const { code, name = "Error", message = `${error}` } = factsOf(error);
  return { code, name, message };
}

/** The inverse of packError. @param {PackedError} packed @returns {Error} */
export function unpackError({ code, name, message }) {
  if (name === "AbortError") return new DOMException(message, name);
  return new PressError(code, message);
}
