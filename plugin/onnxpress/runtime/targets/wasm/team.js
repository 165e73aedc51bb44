/**
 * Workers that run one model together. The side that asks never waits for them but for their
 * messages, so it may be a page.
 */
import { PressError } from "../../errors.js";

export class Team {
  #workers;
  #pending = new Set();
  #failure = null;

  /** @param {number} size @param {() => Worker} startWorker @throws where a browser refuses them */
  constructor(size, startWorker) {
    this.#workers = Array.from({ length: size }, () => startWorker());
    for (const worker of this.#workers) {
      worker.addEventListener("error", (event) => {
        event.preventDefault(); // in a worker it would count as that worker's own
        const why = event.message || "it did not start";
        this.end(new PressError("threads", `a thread has failed (${why})`));
      });
    }
    /** Settles when all are there or one has failed. */
    this.here = this.#ask();
    this.here.catch(() => {}); // whoever awaits it is told
  }

  get size() {
    return this.#workers.length;
  }

  /**
   * Gives each worker a job, at once; they must be there.
   * @param {(worker: number) => {job: string, moved?: Transferable[]}} job  `moved` goes over to it
   * @returns {Promise<unknown[]>} the answers of all
   */
  all(job) {
    return this.#ask(job);
  }

  /** @param {Error} [error] for who still waits */
  end(error = new PressError("disposed", "run(): the model is disposed; load() it again.")) {
    this.#failure ??= error;
    this.#workers.forEach((worker) => worker.terminate());
    this.#pending.forEach((reject) => reject(this.#failure));
  }

  #ask(job) {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#pending.add(reject);
      const answers = this.#workers.map((worker, i) => new Promise((heard) => {
        worker.addEventListener("message", ({ data }) => heard(data.value), { once: true });
        const { moved = [], ...message } = job?.(i) ?? {};
        if (job) worker.postMessage(message, moved);
      }));
      Promise.all(answers).then((values) => {
        this.#pending.delete(reject);
        resolve(values);
      });
    });
  }
}
