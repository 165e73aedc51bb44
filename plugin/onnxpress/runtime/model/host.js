/** The page's end of its worker: calls and their answers, events, and when the worker ends. */
import { startScript } from "../load/carried.js";
import { PressError, gone, unpackError } from "../errors.js";

const LINGER = 60_000; // ms that a worker keeps what unfinished downloads have got

/** All models of a page live in one worker: they share downloads and the graphics device. */
let shared = null;

const startWorker = () => startScript("worker.js",
  () => new Worker(new URL("../worker.js", import.meta.url), { type: "module" }));

export class Host {
  #worker;
  #hear;
  #users = new Map();
  #calls = new Map();
  #count = 0;
  #ending = 0;

  /** @returns {Host} the page's only one, until nobody uses it */
  static get() {
    return (shared ??= new Host());
  }

  constructor() {
    /** What the worker can do, or null if the browser refuses it. @type {Promise<Object|null>} */
    this.hello = new Promise((resolve) => {
      this.#hear = resolve;
      try {
        this.#worker = startWorker();
      } catch {
        return resolve(null);
      }
      this.#worker.addEventListener("message", ({ data }) => this.#receive(data));
      this.#worker.addEventListener("error", ({ message }) => {
        resolve(null);
        const why = message ? ` (${message})` : "";
        this.#end(new PressError("disposed", `The model's worker has failed${why}. Try again.`));
      });
    });
  }

  /** @param {(event: string, value: unknown) => void} onEvent @returns {number} the user's key */
  join(onEvent) {
    clearTimeout(this.#ending);
    const key = ++this.#count;
    this.#users.set(key, onEvent);
    return key;
  }

  /** The last one to leave ends the worker. @param {boolean} unfinished its downloads were */
  leave(key, unfinished) {
    if (!this.#users.delete(key)) return;
    this.#worker?.postMessage({ dispose: key });
    for (const [id, call] of this.#calls) if (call.key === key) this.#settle(id, gone());
    if (this.#users.size) return;
    if (unfinished) this.#ending = setTimeout(() => this.#end(gone()), LINGER);
    else this.#end(gone());
  }

  /**
   * @param {number} key
   * @param {Object} message
   * @param {AbortSignal} [signal]
   * @param {Transferable[]} [given] parts of the message that the worker takes over
   * @returns {Promise<unknown>} the worker's answer
   */
  call(key, message, signal, given = []) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = ++this.#count;
      this.#calls.set(id, { key, resolve, reject });
      signal?.addEventListener("abort", () => {
        this.#worker?.postMessage({ cancel: id });
        this.#settle(id, signal.reason);
      }, { once: true });
      if (!this.#worker || !this.#users.has(key)) return this.#settle(id, gone());
      this.#worker.postMessage({ id, key, ...message }, given);
    });
  }

  #receive({ key, event, id, value, error }) {
    if (event === "hello") this.#hear(value);
    else if (event) this.#users.get(key)?.(event, value);
    else this.#settle(id, error && unpackError(error), value);
  }

  #settle(id, error, value) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(error);
    else call?.resolve(value);
  }

  /** @param {Error} error for all who wait */
  #end(error) {
    if (shared === this) shared = null;
    this.#worker?.terminate();
    this.#worker = null;
    for (const id of [...this.#calls.keys()]) this.#settle(id, error);
    for (const tell of this.#users.values()) tell("gone", error);
  }
}
