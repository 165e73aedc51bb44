/**
 * What one of several workers without a shared memory does: its shares of all phases, on a heap of
 * its own. Before a phase it waits for what it was told to expect from others; after one it sends
 * what they need of what it has computed.
 */
import { exchangeOf } from "./exchange.js";
import { onHeap } from "../common/linear.js";
import { ALONE, heapOf, instantiate, memoryOf } from "../../load/instance.js";
import { placer } from "./place.js";
import { warm } from "./warm.js";

const LOOKS = 400; // for a message, before a worker sleeps: some milliseconds

/**
 * @param {WebAssembly.Module} module
 * @param {import("../common/linear.js").LinearAbout & import("../wasm.js").WasmAbout} about
 * @param {number} me
 * @param {(MessagePort|null)[]} ports  to each other
 * @returns {Promise<import("../common/linear.js").Program>}  whose outputs are right where `me` is 0
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

  /** @returns {Promise<number[]>} milliseconds of each phase, with what it waits for */
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
 * @returns {{plan: {share: number[], expected: Object[], sent: Object[]}[], most: number}} `plan` by
 *   phase, and after the last; `most`: elements of a message
 */
function schedule({ whole, messages }, phases, me, size) {
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
 * Messages by number. A buffer that has come goes out again: new memory costs more than a copy. Who
 * waits for one sends itself empty ones for a while, as waking takes longer than most waits.
 */
class Letters {
  #ports;
  #size;
  #spare = [];
  #arrived = new Map();
  #waiting = new Map();
  #self = new MessageChannel();
  #looking = false;
  #looks = 0;

  /** @param {(MessagePort|null)[]} ports @param {number} size elements of each buffer */
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

  /** As many as go out at once; who receives more than it sends would heap them up. */
  keep(content) {
    if (this.#spare.length < this.#ports.length) this.#spare.push(content);
  }

  send(receiver, number, content) {
    this.#ports[receiver].postMessage({ number, content }, [content.buffer]);
  }

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

  #hear({ number, content }) {
    const resolve = this.#waiting.get(number);
    this.#waiting.delete(number);
    if (resolve) resolve(content);
    else this.#arrived.set(number, content);
  }
}

function gather(heap, content, runs) {
  let at = 0;
  each(runs, (from, size) => {
    content.set(heap.subarray(from, from + size), at);
    at += size;
  });
}

function scatter(heap, content, runs) {
  let at = 0;
  each(runs, (to, size) => {
    heap.set(content.subarray(at, at + size), to);
    at += size;
  });
}

function each(runs, move) {
  for (const [offset, length, count, stride] of runs) {
    for (let k = 0; k < count; k++) move(offset + k * stride, length);
  }
}
