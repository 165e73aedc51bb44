/**
 * One of the workers that run a WebAssembly program together without shared memory; wasm_apart.js is
 * the other end. Before a phase it waits for what it was told to expect from others; after one it
 * sends what they need of what it has computed.
 */
import { placeConstant, readOutputs, writeInputs } from "./linear.js";
import { ALONE, heapOf, instantiate, memoryOf, packer } from "./wasm_instance.js";

/** Messages by number that have come before they were waited for, and who waits for one. */
const arrived = new Map(), waiting = new Map();

let about, heap, exports, pack, me, plan, ports;

const JOBS = {
  async start({ module, about: facts, worker, ports: others }) {
    const memory = memoryOf(facts.pages);
    exports = await instantiate(module, memory);
    [about, heap, pack, me, ports] = [facts, heapOf(facts, memory), packer(exports), worker, others];
    plan = schedule(about.exchange[ports.length], about.phases.reduce((a, b) => a + b, 0));
    for (const port of ports) if (port) port.onmessage = ({ data }) => receive(data);
  },

  place({ name, data, bytes }) {
    placeConstant(about, heap, pack, { name, data, stored: { bytes } });
  },

  async run({ inputs }) {
    await run(inputs);
    return me ? null : readOutputs(about, heap);
  },

  /** Milliseconds of each step, with what it waits for. */
  async profile({ inputs }) {
    const times = await run(inputs);
    let at = 0;
    return about.phases.map((count) => times.slice(at, at += count).reduce((a, b) => a + b, 0));
  },
};

/**
 * @param {import("./wasm.js").Exchange} exchange
 * @param {number} phases
 * @returns {{share: number[], expected: Object[], sent: Object[]}[]} by phase, and after the last
 */
function schedule({ whole, messages }, phases) {
  const mine = [me, ports.length, 0];
  const steps = Array.from({ length: phases + 1 },
    () => ({ share: mine, expected: [], sent: [] }));
  whole.forEach((phase) => (steps[phase].share = ALONE));
  messages.forEach(([after, before, sender, receiver, ...runs], number) => {
    if (receiver === me) steps[before].expected.push({ number, runs });
    if (sender === me) steps[after].sent.push({ number, receiver, runs, length: total(runs) });
  });
  return steps;
}

function total(runs) {
  let sum = 0;
  for (let i = 0; i < runs.length; i += 4) sum += runs[i + 1] * runs[i + 2];
  return sum;
}

/** @returns {Promise<number[]>} milliseconds of each phase */
async function run(inputs) {
  writeInputs(about, heap, inputs);
  const times = [];
  for (const [phase, { share, expected, sent }] of plan.entries()) {
    const started = performance.now();
    for (const { number, runs } of expected) scatter(await message(number), runs);
    if (phase === plan.length - 1) return times;
    exports.phase(phase, ...share);
    for (const { number, receiver, runs, length } of sent) {
      const content = gather(runs, length);
      ports[receiver].postMessage({ number, content }, [content.buffer]);
    }
    times.push(performance.now() - started);
  }
}

function receive({ number, content }) {
  const resolve = waiting.get(number);
  waiting.delete(number);
  if (resolve) resolve(content);
  else arrived.set(number, content);
}

function message(number) {
  const content = arrived.get(number);
  arrived.delete(number);
  return content ?? new Promise((resolve) => waiting.set(number, resolve));
}

function gather(runs, length) {
  const content = new Float32Array(length);
  let to = 0;
  each(runs, (from, size) => {
    content.set(heap.subarray(from, from + size), to);
    to += size;
  });
  return content;
}

function scatter(content, runs) {
  let from = 0;
  each(runs, (to, size) => {
    heap.set(content.subarray(from, from + size), to);
    from += size;
  });
}

/** @param {number[]} runs  (offset, length, count, stride) after each other */
function each(runs, move) {
  for (let i = 0; i < runs.length; i += 4) {
    const [offset, length, count, stride] = runs.slice(i, i + 4);
    for (let k = 0; k < count; k++) move(offset + k * stride, length);
  }
}

addEventListener("message", async ({ data }) => {
  try {
    postMessage({ value: await JOBS[data.job](data) });
  } catch (error) {
    setTimeout(() => { // where it counts as the worker's own
      throw error;
    });
  }
});
postMessage({ value: "here" });
