/** The page's end of its worker: calls and their answers, events, and when the worker ends. */
import { startModule, startScript } from "../load/carried.js";
import { PressError, gone, unpackError } from "../errors.js";

const LINGER = 60_000; // ms that a worker keeps the files of unfinished downloads

/**
 * @typedef {import("./protocol.d.ts").Calls} Calls
 * @typedef {import("./protocol.d.ts").Events} Events
 * @typedef {import("./protocol.d.ts").Hello} Hello
 * @typedef {{key: number, resolve: (answer: any) => void, reject: (error: unknown) => void}}
 *   Waiting a call without an answer yet
 */

/**
 * All models of a page live in one worker: they share downloads and the graphics device.
 * @type {Host|null}
 */
let shared = null;

const startWorker = () => startScript("worker.js",
  () => startModule(new URL("../worker.js", import.meta.url)));

export class Host {
  /** @type {Worker|null} */
  #worker = null;
  /** By key. @type {Map<number, Events>} */
  #users = new Map();
  /** By id. @type {Map<number, Waiting>} */
  #calls = new Map();
  #count = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #ending;

  /** @returns {Host} the page's only one, until nobody uses it */
  static get() {
    return (shared ??= new Host());
  }

  constructor() {
    /** What the worker can do, or null if the browser refuses it. @type {Promise<Hello|null>} */
    this.hello = new Promise((resolve) => {
      try {
        this.#worker = startWorker();
      } catch {
        return resolve(null);
      }
      this.#worker.addEventListener("message", ({ data }) => {
        if (data.event === "hello") resolve(data.value);
        else this.#receive(data);
      });
      this.#worker.addEventListener("error", ({ message }) => {
        resolve(null);
        const why = message ? ` (${message})` : "";
        this.#end(new PressError("disposed", `The model's worker has failed${why}. Try again.`));
      });
    });
  }

  /** @param {Events} events @returns {number} the user's key */
  join(events) {
    clearTimeout(this.#ending);
    const key = ++this.#count;
    this.#users.set(key, events);
    return key;
  }

  /**
   * The last user to leave ends the worker.
   * @param {number} key
   * @param {boolean} unfinished  whether the worker may hold files for another try
   */
  leave(key, unfinished) {
    if (!this.#users.delete(key)) return;
    this.#worker?.postMessage({ dispose: key });
    for (const [id, call] of this.#calls) if (call.key === key) this.#settle(id, gone());
    if (this.#users.size) return;
    if (unfinished) this.#ending = setTimeout(() => this.#end(gone()), LINGER);
    else this.#end(gone());
  }

  /**
   * @template {keyof Calls} Name
   * @param {number} key
   * @param {import("./protocol.d.ts").Call<Name>} message
   * @param {AbortSignal} [signal]
   * @param {Transferable[]} [given]  parts of the message that the worker takes over
   * @returns {Promise<Calls[Name]["answer"]>}
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

  /**
   * @param {{key: number, event?: keyof Events, id: number, value?: any,
   *   error?: import("../errors.js").PackedError}} message  an event, or the answer to a call
   */
  #receive({ key, event, id, value, error }) {
    if (event) this.#users.get(key)?.[event]?.(value);
    else this.#settle(id, error && unpackError(error), value);
  }

  /** @param {number} id @param {unknown} error @param {unknown} [value] */
  #settle(id, error, value) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (error) call?.reject(error);
    else call?.resolve(value);
  }

  /** @param {Error} error  for all who wait */
  #end(error) {
    if (shared === this) shared = null;
    this.#worker?.terminate();
    this.#worker = null;
    for (const id of [...this.#calls.keys()]) this.#settle(id, error);
    for (const events of this.#users.values()) events.gone(error);
  }
}
