/** Turns between tabs and workers: what one downloads, the others find in the cache. */

const PATIENCE = 30_000; // ms: whoever holds the lock may be asleep

/**
 * @template T
 * @param {string} name
 * @param {AbortSignal|undefined} signal
 * @param {(until: (rest: Promise<void>) => void) => Promise<T>} job runs alone where the browser has
 *   locks and nobody sleeps on this one; it may go on beyond its answer, `until` the `rest` is done
 * @returns {Promise<T>}
 */
export async function alone(name, signal, job) {
  const release = await acquire(name, signal);
  let rest;
  try {
    return await job((promise) => { rest = promise; });
  } finally {
    Promise.resolve(rest).then(release);
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
