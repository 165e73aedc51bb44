/** The page's end of the worker for large pictures. */
import { startModule, startScript } from "../../load/carried.js";

const LINGER = 60_000; // ms that the worker stays without work

/** @typedef {import("./worker.js").Jobs} Jobs */

/** null: the browser refuses workers. @type {Promise<Worker|null>|null} */
let helper = null;
let count = 0;
/** Who waits for an answer, by id. @type {Map<number, (answer: any) => void>} */
const waiting = new Map();
/** @type {ReturnType<typeof setTimeout>|undefined} */
let ending;

/** @returns {Promise<Worker|null>} */
const start = () => new Promise((resolve) => {
  try {
    const worker = startScript("kinds/picture/worker.js",
      () => startModule(new URL("./worker.js", import.meta.url)));
    worker.addEventListener("message", ({ data }) => {
      if (data.ready) resolve(worker);
      else settle(data.id, data.answer);
    });
    worker.addEventListener("error", () => {
      resolve(null);
      for (const id of [...waiting.keys()]) settle(id, null);
    });
  } catch {
    resolve(null);
  }
});

/** @param {number} id @param {unknown} answer */
function settle(id, answer) {
  waiting.get(id)?.(answer);
  waiting.delete(id);
  if (waiting.size) return;
  clearTimeout(ending);
  ending = setTimeout(() => {
    helper?.then((worker) => worker?.terminate());
    helper = null;
  }, LINGER);
}

/**
 * @template {keyof Jobs} Job
 * @param {Job} job
 * @param {Parameters<Jobs[Job]>[0]} given
 * @returns {Promise<Awaited<ReturnType<Jobs[Job]>>|null>} null where the worker cannot do it
 */
export async function ask(job, given) {
  clearTimeout(ending);
  const id = ++count;
  /** @type {Promise<Awaited<ReturnType<Jobs[Job]>>|null>} */
  const answer = new Promise((resolve) => { waiting.set(id, resolve); });
  const worker = await (helper ??= start());
  if (worker) worker.postMessage({ id, job, given });
  else settle(id, null);
  return answer;
}
