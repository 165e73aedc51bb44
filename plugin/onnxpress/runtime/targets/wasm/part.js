/**
 * The part of one of several workers without a shared memory: its shares of all phases, on a heap
 * of its own. Before a phase it waits for the messages that the phase needs; after a phase it sends
 * the elements that other workers need.
 */
import { exchangeOf } from "./exchange.js";
import { onHeap } from "../common/linear.js";
import { ALONE, heapOf, instantiate, memoryOf } from "../../load/instance.js";
import { placer } from "./place.js";
import { warm } from "./warm.js";

const LOOKS = 400; // times that a worker looks for a message before it sleeps: some milliseconds

/**
 * @typedef {import("./exchange.js").Run} Run
 *
 * @typedef {Object} Phase  The part of one worker in a phase.
 * @property {number[]} share  part, parts, and the address of its own bytes, for the program's
 *   exports
 * @property {{number: number, runs: Run[]}[]} expected  messages that it needs before
 * @property {{number: number, receiver: number, runs: Run[]}[]} sent  messages that it sends after
 */

/**
 * @param {WebAssembly.Module} module
 * @param {import("../../types.js").WasmTarget} about
 * @param {number} me  the worker's number
 * @param {(MessagePort|null)[]} ports  to each worker, null to itself
 * @returns its program; the outputs are right where `me` is 0
 */
export async function openPart(module, about, me, ports) {
  const memory = memoryOf(about.pages);
  const exports = await instantiate(module, memory);
  if (me === 0) await warm(exports, about); // workers share what is compiled
  const heap = heapOf(about, memory);
  const exchange = exchangeOf(module, ports.length);
  const count = exchange.phases.reduce((a, b) => a + b, 0);
  const { plan, most } = schedule(exchange, count, me, ports.length);
  const letters = new Letters(ports, most);

  /** @returns {Promise<number[]>} milliseconds of each phase, its waiting included */
  const run = async () => {
    const times = [];
    for (const [phase, { share, expected, sent }] of plan.entries()) {
      const started = performance.now();
      for (const { number, runs } of expected) {
        const content = await letters.receive(number);
        scatter(heap, content, runs);
        letters.keep(content);
      }
      if (phase < count) exports.phase(phase, ...share);
      for (const { number, receiver, runs } of sent) {
        const content = letters.empty();
        gather(heap, content, runs);
        letters.send(receiver, number, content);
      }
      times.push(performance.now() - started);
    }
    return times;
  };
  return onHeap(about, heap, {
    place: placer(about, exports, memory),
    run,
    profile: async () => {
      const times = await run();
      let at = 0;
      return exchange.phases.map((n) => times.slice(at, at += n).reduce((a, b) => a + b, 0));
    },
  });
}

/**
 * @param {import("./exchange.js").Exchange} exchange
 * @param {number} phases  of all steps
 * @param {number} me
 * @param {number} size  workers
 * @returns {{plan: Phase[], most: number}} `plan` by phase, with one more that only waits; `most`:
 *   elements of the longest message
 */
function schedule({ whole, messages }, phases, me, size) {
  /** @type {Phase[]} */
  const plan = Array.from({ length: phases + 1 },
    () => ({ share: [me, size, 0], expected: [], sent: [] }));
  whole.forEach((phase) => (plan[phase].share = ALONE));
  let most = 0;
  messages.forEach(({ after, before, sender, receiver, runs }, number) => {
    most = Math.max(most, runs.reduce((sum, [, length, count]) => sum + length * count, 0));
    if (receiver === me) plan[before].expected.push({ number, runs });
    if (sender === me) plan[after].sent.push({ number, receiver, runs });
  });
  return { plan, most };
}

/**
 * Messages by number. A buffer that has come goes out again: new memory costs more than a copy. A
 * worker that waits sends itself empty messages for a while, as waking takes longer than most
 * waits.
 */
class Letters {
  #ports;
  #size;
  /** @type {Float32Array<ArrayBuffer>[]} */
  #spare = [];
  /** Messages that nobody has asked for yet. @type {Map<number, Float32Array<ArrayBuffer>>} */
  #arrived = new Map();
  /** @type {Map<number, (content: Float32Array<ArrayBuffer>) => void>} */
  #waiting = new Map();
  #self = new MessageChannel();
  #looking = false;
  #looks = 0;

  /** @param {(MessagePort|null)[]} ports @param {number} size  elements of each buffer */
  constructor(ports, size) {
    this.#ports = ports;
    this.#size = size;
    for (const port of ports) {
      if (port) port.onmessage = ({ data }) => this.#hear(data);
    }
    this.#self.port1.onmessage = () => {
      this.#looking = false;
      if (this.#waiting.size) this.#look();
    };
  }

  empty() {
    return this.#spare.pop() ?? new Float32Array(this.#size);
  }

  /**
   * Keeps a buffer to send it again, but no more than go out at once: a worker that receives more
   * than it sends would heap them up.
   * @param {Float32Array<ArrayBuffer>} content
   */
  keep(content) {
    if (this.#spare.length < this.#ports.length) this.#spare.push(content);
  }

  /** @param {number} receiver @param {number} number @param {Float32Array<ArrayBuffer>} content */
  send(receiver, number, content) {
    this.#ports[receiver]?.postMessage({ number, content }, [content.buffer]);
  }

  /**
   * @param {number} number
   * @returns {Float32Array<ArrayBuffer>|Promise<Float32Array<ArrayBuffer>>}
   */
  receive(number) {
    const content = this.#arrived.get(number);
    this.#arrived.delete(number);
    if (content) return content;
    this.#looks = LOOKS;
    this.#look();
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }

  #look() {
    if (this.#looking || this.#looks-- <= 0) return;
    this.#looking = true;
    this.#self.port2.postMessage(null);
  }

  /** @param {{number: number, content: Float32Array<ArrayBuffer>}} message */
  #hear({ number, content }) {
    const resolve = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (resolve) resolve(content);
    else this.#arrived.set(number, content);
  }
}

/** Fills a message with runs of the heap. @type {Mover} */
function gather(heap, content, runs) {
  let at = 0;
  each(runs, (from, size) => {
    content.set(heap.subarray(from, from + size), at);
    at += size;
  });
}

/** Puts a message's content into runs of the heap. @type {Mover} */
function scatter(heap, content, runs) {
  let at = 0;
  each(runs, (to, size) => {
    heap.set(content.subarray(at, at + size), to);
    at += size;
  });
}

/** @typedef {(heap: Float32Array, content: Float32Array, runs: Run[]) => void} Mover */

/** @param {Run[]} runs @param {(offset: number, length: number) => void} move */
function each(runs, move) {
  for (const [offset, length, count, stride] of runs) {
    for (let k = 0; k < count; k++) move(offset + k * stride, length);
  }
}
