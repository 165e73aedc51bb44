/** Turns between tabs and workers: what one downloads, the others find in the cache. */

const PATIENCE = 30_000; // ms: whoever holds the lock may be asleep

/**
 * @template T
 * @param {string} name
 * @param {AbortSignal|undefined} signal
 * @param {(until: (rest: Promise<void>) => void, waited: boolean) => Promise<T>} job runs alone
 *   where the browser has locks and nobody sleeps on this one; it may go on beyond its answer, `until`
 *   the `rest` is done; `waited` for another one
 * @returns {Promise<T>}
 */
export async function alone(name, signal, job) {
  const free = await request(name, { ifAvailable: true }).catch(() => null);
  const release = free ?? await acquire(name, signal);
  let rest;
  try {
    return await job((promise) => { rest = promise; }, !free);
  } finally {
    Promise.resolve(rest).then(release);
  }
}

/** @returns {Promise<() => void>} releases the lock; browsers release those of closed tabs */
async function acquire(name, signal) {
  const stop = new AbortController();
  const give = () => stop.abort();
  const timer = setTimeout(give, PATIENCE);
  signal?.addEventListener("abort", give);
  try {
    return await request(name, { signal: stop.signal });
  } catch {
    signal?.throwIfAborted();
    return () => {};
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", give);
  }
}

/** @returns {Promise<(() => void)|null>} null where it is not free and nobody wants to wait */
function request(name, options) {
  return new Promise((resolve, reject) => {
    navigator.locks.request(name, options, (lock) => lock
      ? new Promise((release) => { resolve(release); }) : resolve(null)).catch(reject);
  });
}
