/** Turns between tabs and workers: a file that one downloads is in the cache for the others. */

const PATIENCE = 30_000; // ms: the tab that holds the lock may be asleep

/** @typedef {(rest: Promise<void>) => void} Until  keeps the turn until `rest` is done, too */

/**
 * Runs a job while no other tab or worker runs one of that name. Where the browser has no locks, or
 * another holds this one for PATIENCE, the job runs all the same.
 * @template T
 * @param {string} name
 * @param {AbortSignal|undefined} signal
 * @param {(until: Until) => Promise<T>} job
 * @param {boolean} [first] whether no other can have begun, so that the job begins at once
 * @returns {Promise<T>}
 */
export async function alone(name, signal, job, first = false) {
  const acquired = acquire(name, signal);
  /** @type {Promise<void>|undefined} */
  let rest;
  try {
    if (!first) await acquired;
    return await job((promise) => { rest = promise; });
  } finally {
    Promise.allSettled([acquired, rest]).then(([turn]) => {
      if (turn.status === "fulfilled") turn.value();
    });
  }
}

/**
 * @param {string} name
 * @param {AbortSignal|undefined} signal
 * @returns {Promise<() => void>} releases the lock; a browser releases the locks of a closed tab
 */
function acquire(name, signal) {
  const nothing = () => {};
  if (!navigator.locks) return Promise.resolve(nothing);
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const give = () => stop.abort();
    const timer = setTimeout(give, PATIENCE);
    signal?.addEventListener("abort", give);
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", give);
    };
    navigator.locks.request(name, { signal: stop.signal }, () => {
      settle();
      /** @type {Promise<void>} */
      const released = new Promise((release) => { resolve(release); });
      return released;
    }).catch(() => {
      settle();
      if (signal?.aborted) reject(signal.reason);
      else resolve(nothing);
    });
  });
}
