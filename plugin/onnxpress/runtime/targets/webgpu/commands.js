/** Encoding a program's commands, and timing each of them. */

const QUERIES = 2048; // dispatches per timestamp query set, which holds 4096 values
const SHORT = 10; // ms: longer waits hardly gain
const CHROMIUM = Boolean(globalThis.navigator?.userAgentData); // no other browser has that

/**
 * @typedef {Object} Dispatch
 * @property {GPUComputePipeline} pipeline
 * @property {GPUBindGroup} group
 * @property {Groups} groups
 *
 * @typedef {[x: number, y?: number, z?: number]} Groups  counts of workgroups
 */

/** @param {GPUComputePassEncoder} pass @param {Dispatch[]} commands */
export function encode(pass, commands) {
  let current = null;
  for (const { pipeline, group, groups } of commands) {
    if (pipeline !== current) pass.setPipeline(pipeline);
    current = pipeline;
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...groups);
  }
  pass.end();
}

/**
 * Chromium looks whether work has ended every 2 ms, and whenever commands come. So while something
 * short is awaited, commands that do nothing come. In other browsers they might only be in the way,
 * as they are under Dawn in Node.
 * @param {GPUDevice} device
 * @param {Promise<void>} awaited
 */
export function hurry(device, awaited) {
  if (!CHROMIUM) return;
  const { port1, port2 } = new MessageChannel();
  const end = performance.now() + SHORT;
  let pending = true;
  const over = () => { pending = false; };
  awaited.then(over, over);
  port1.onmessage = () => {
    if (!pending || performance.now() > end) return port1.close();
    device.queue.onSubmittedWorkDone().catch(() => {}); // the device may be lost
    port2.postMessage(null);
  };
  port2.postMessage(null);
}

/**
 * Times each command by the GPU's clock.
 * @param {GPUDevice} device  with timestamp queries
 * @param {Dispatch[]} commands
 * @returns {Promise<number[]>} milliseconds of each
 */
export async function byTimestamps(device, commands) {
  /** @type {number[]} */
  const times = [];
  for (let begin = 0; begin < commands.length; begin += QUERIES) {
    const chunk = commands.slice(begin, begin + QUERIES);
    const bytes = 16 * chunk.length;
    const querySet = device.createQuerySet({ type: "timestamp", count: 2 * chunk.length });
    const values = device.createBuffer(
      { size: bytes, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const staging = device.createBuffer(
      { size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    chunk.forEach((command, i) => {
      const writes = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      encode(encoder.beginComputePass({ timestampWrites: writes }), [command]);
    });
    encoder.resolveQuerySet(querySet, 0, 2 * chunk.length, values, 0);
    encoder.copyBufferToBuffer(values, 0, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(staging.getMappedRange());
    chunk.forEach((_, i) => times.push(Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6));
    for (const used of [querySet, values, staging]) used.destroy();
  }
  return times;
}

/**
 * Times each command by the processor's clock: each is submitted and awaited on its own.
 * @param {GPUDevice} device
 * @param {Dispatch[]} commands
 * @returns {Promise<number[]>} milliseconds of each
 */
export async function byWaiting(device, commands) {
  const times = [];
  await device.queue.onSubmittedWorkDone();
  for (const command of commands) {
    const started = performance.now();
    const encoder = device.createCommandEncoder();
    encode(encoder.beginComputePass(), [command]);
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    times.push(performance.now() - started);
  }
  return times;
}
