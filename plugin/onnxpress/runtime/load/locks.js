/** Turns between tabs and workers: what one downloads, the others find in the cache. */

const PATIENCE = 30_000; // ms: whoever holds the lock may be asleep

/**
 * @template T
 * @param {string} name
 * @param {AbortSignal|undefined} signal
 * @param {(until: (rest: Promise<void>) => void) => Promise<T>} job runs alone where the browser has
 *   locks and nobody sleeps on this one; it may go on beyond its answer, `until` the `rest` is done
 * @param {boolean} [first] whether nobody else can be at it, so that the job begins at once
 * @returns {Promise<T>}
 */
export async function alone(name, signal, job, first = false) {
  const acquired = acquire(name, signal);
  let rest;
  try {
    if (!first) await acquired;
    return await job((promise) => { rest = promise; });
  } finally {
    Promise.allSettled([acquired, rest]).then(([{ value: release }]) => release?.());
  }
}

/** @returns {Promise<() => void>} releases the lock; browsers release those of closed tabs */
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
      return new Promise((release) => { resolve(release); });
    }).catch(() => {
      settle();
      if (signal?.aborted) reject(signal.reason);
      else resolve(nothing);
    });
  });
}
