/**
 * The threads of one model: workers that run its module on one shared memory. The side that asks
 * never waits for them but for their messages, so it may be a page.
 */
import { startThread } from "../carried.js";
import { PressError } from "../errors.js";

export class Team {
  #workers;
  #pending = new Set();
  #failure = null;
  #here;

  /** @param {number} threads @throws where the browser refuses workers */
  constructor(threads) {
    this.#workers = Array.from({ length: threads }, () => startThread());
    for (const worker of this.#workers) {
      worker.addEventListener("error", (event) => {
        event.preventDefault(); // in a worker it would count as that worker's own
        const why = event.message || "it did not start";
        this.end(new PressError("threads", `a thread has failed (${why})`));
      });
    }
    this.#here = this.#all(() => null);
    this.#here.catch(() => {}); // reported by start()
  }

  /**
   * @param {WebAssembly.Module} module
   * @param {WebAssembly.Memory} memory
   * @param {(thread: number) => number} own the byte address of what one thread alone uses
   */
  async start(module, memory, own) {
    const control = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const threads = this.#workers.length;
    await this.#here;
    await this.#all((thread) => (
      { job: "start", module, memory, control, thread, threads, own: own(thread) }));
  }

  async run() {
    await this.#all(() => ({ job: "run" }));
  }

  /** @param {number} steps @returns {Promise<number[]>} milliseconds of each */
  async profile(steps) {
    return (await this.#all(() => ({ job: "profile", steps })))[0];
  }

  /** @param {Error} [error] for who still waits */
  end(error = new PressError("disposed", "run(): the model is disposed; load() it again.")) {
    this.#failure ??= error;
    this.#workers.forEach((worker) => worker.terminate());
    this.#pending.forEach((reject) => reject(this.#failure));
  }

  /** The answers of all threads; a job of `null` is only waited for. */
  #all(job) {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#pending.add(reject);
      const answers = this.#workers.map((worker, thread) => new Promise((heard) => {
        worker.addEventListener("message", ({ data }) => heard(data.value), { once: true });
        if (job(thread)) worker.postMessage(job(thread));
      }));
      Promise.all(answers).then((values) => {
        this.#pending.delete(reject);
        resolve(values);
      });
    });
  }
}
