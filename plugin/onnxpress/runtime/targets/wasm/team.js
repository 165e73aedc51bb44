/**
 * Workers that run one model together. The side that asks waits for their messages only and never
 * blocks, so it may be a page.
 */
import { PressError, gone } from "../../errors.js";

/**
 * @typedef {{job: string, moved?: Transferable[]} & Object<string, unknown>} Job  a message to a
 *   worker, which calls its function of that name; `moved` goes over to it
 */

export class Team {
  /** @type {Worker[]} */
  #workers;
  /** Whom a failure is told. @type {Set<(reason: Error) => void>} */
  #pending = new Set();
  /** @type {Error|null} */
  #failure = null;

  /**
   * @param {number} size
   * @param {() => Worker} startWorker
   * @throws {Error} the browser refuses a worker
   */
  constructor(size, startWorker) {
    this.#workers = Array.from({ length: size }, () => startWorker());
    for (const worker of this.#workers) {
      worker.addEventListener("error", (event) => {
        event.preventDefault(); // in a worker it would count as that worker's own
        const why = event.message || "it did not start";
        this.end(new PressError("threads", `a thread has failed (${why})`));
      });
    }
    /** Settles when all workers are there or one has failed. */
    this.here = this.#ask();
    this.here.catch(() => {}); // callers that await it get the failure
  }

  get size() {
    return this.#workers.length;
  }

  /**
   * Gives each worker a job, all at once; they must be there.
   * @param {(worker: number) => Job} job
   * @returns {Promise<unknown[]>} the workers' answers
   */
  all(job) {
    return this.#ask(job);
  }

  /** Ends the workers. @param {Error} [error]  for callers that still wait */
  end(error = gone()) {
    const failure = this.#failure ??= error;
    this.#workers.forEach((worker) => worker.terminate());
    this.#pending.forEach((reject) => reject(failure));
  }

  /**
   * @param {(worker: number) => Job} [job]  none: waits for the next message of each worker
   * @returns {Promise<unknown[]>}
   */
  #ask(job) {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#pending.add(reject);
      const answers = this.#workers.map((worker, i) => new Promise((heard) => {
        worker.addEventListener("message", ({ data }) => heard(data.value), { once: true });
        if (!job) return;
        const { moved = [], ...message } = job(i);
        worker.postMessage(message, moved);
      }));
      Promise.all(answers).then((values) => {
        this.#pending.delete(reject);
        resolve(values);
      });
    });
  }
}
