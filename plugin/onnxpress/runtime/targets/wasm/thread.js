/**
 * One of the threads that run a WebAssembly program together, in a worker of its own; team.js is
 * the other end. All threads call the same export on the same memory, each with its own number.
 */

// The barrier: threads wait there for each other. `control` holds the number of threads that have
// come (byte 0), the turn (byte 64) and the number of threads that sleep (byte 128). A thread looks
// for the next turn a while before it sleeps: most steps end at nearly the same time for all
// threads, and waking takes longer than the difference.
// (module
//   (import "" "control" (memory 1 1 shared))
//   (func (export "barrier") (param $threads i32) (local $turn i32) (local $looks i32)
//     (local.set $turn (i32.atomic.load offset=64 (i32.const 0)))
//     (if (i32.eq (local.get $threads)
//           (i32.add (i32.atomic.rmw.add (i32.const 0) (i32.const 1)) (i32.const 1)))
//       (then
//         (i32.atomic.store (i32.const 0) (i32.const 0))
//         (drop (i32.atomic.rmw.add offset=64 (i32.const 0) (i32.const 1)))
//         (if (i32.atomic.load offset=128 (i32.const 0))
//           (then (drop (memory.atomic.notify offset=64 (i32.const 0) (i32.const -1)))))
//         return))
//     (local.set $looks (i32.const 200000))
//     (loop $look
//       (br_if 1 (i32.ne (i32.atomic.load offset=64 (i32.const 0)) (local.get $turn)))
//       (br_if $look (local.tee $looks (i32.sub (local.get $looks) (i32.const 1)))))
//     (drop (i32.atomic.rmw.add offset=128 (i32.const 0) (i32.const 1)))
//     (loop $sleep
//       (drop (memory.atomic.wait32 offset=64
//         (i32.const 0) (local.get $turn) (i64.const -1)))
//       (br_if $sleep (i32.eq (i32.atomic.load offset=64 (i32.const 0)) (local.get $turn))))
//     (drop (i32.atomic.rmw.sub offset=128 (i32.const 0) (i32.const 1)))))
const BARRIER = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 1, 127, 0, 2, 14, 1, 0, 7, 99, 111, 110, 116, 114,
  111, 108, 2, 3, 1, 1, 3, 2, 1, 0, 7, 11, 1, 7, 98, 97, 114, 114, 105, 101, 114, 0, 0, 10, 143,
  1, 1, 140, 1, 1, 2, 127, 65, 0, 254, 16, 2, 64, 33, 1, 32, 0, 65, 0, 65, 1, 254, 30, 2, 0, 65,
  1, 106, 70, 4, 64, 65, 0, 65, 0, 254, 23, 2, 0, 65, 0, 65, 1, 254, 30, 2, 64, 26, 65, 0, 254,
  16, 2, 128, 1, 4, 64, 65, 0, 65, 127, 254, 0, 2, 64, 26, 11, 15, 11, 65, 192, 154, 12, 33, 2, 3,
  64, 65, 0, 254, 16, 2, 64, 32, 1, 71, 13, 1, 32, 2, 65, 1, 107, 34, 2, 13, 0, 11, 65, 0, 65, 1,
  254, 30, 2, 128, 1, 26, 3, 64, 65, 0, 32, 1, 66, 127, 254, 1, 2, 64, 26, 65, 0, 254, 16, 2, 64,
  32, 1, 70, 13, 0, 11, 65, 0, 65, 1, 254, 37, 2, 128, 1, 26, 11, 0, 50, 4, 110, 97, 109, 101, 2,
  25, 1, 0, 3, 0, 7, 116, 104, 114, 101, 97, 100, 115, 1, 4, 116, 117, 114, 110, 2, 5, 108, 111,
  111, 107, 115, 3, 16, 1, 0, 2, 2, 4, 108, 111, 111, 107, 3, 5, 115, 108, 101, 101, 112,
];

/** @typedef {Object<string, (...numbers: number[]) => number>} Functions */

/** @type {Functions} */
let exports;
/** @type {Functions[string]} */
let barrier;
/** The thread's number, the count of threads, and the address of the bytes that it alone uses. */
let place = [0, 1, 0];

/**
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.ModuleImports} imports
 */
function functionsOf(module, imports) {
  const instance = new WebAssembly.Instance(module, { "": imports });
  return /** @type {Functions} */ (instance.exports);
}

const JOBS = {
  /**
   * @param {{module: WebAssembly.Module, memory: WebAssembly.Memory, control: WebAssembly.Memory,
   *   thread: number, threads: number, own: number}} job
   */
  start({ module, memory, control, thread, threads, own }) {
    const waiting = new WebAssembly.Module(new Uint8Array(BARRIER));
    ({ barrier } = functionsOf(waiting, { control }));
    exports = functionsOf(module, { memory, barrier });
    place = [thread, threads, own];
  },

  run: () => exports.run(...place),

  /** @param {{steps: number}} job @returns {number[]} milliseconds of each step */
  profile: ({ steps }) => Array.from({ length: steps }, (_, i) => {
    const started = performance.now();
    exports.step(i, ...place);
    barrier(place[1]);
    return performance.now() - started;
  }),
};

addEventListener("message", ({ data }) => {
  /** @type {keyof typeof JOBS} */
  const job = data.job;
  postMessage({ value: JOBS[job](data) });
});
postMessage({ value: "here" });
