/** What was measured, as a table's texts. */

export const HEAD = ["Step", "ms", "Share", "GFLOP/s", "Of peak", "MB", "GB/s"];

/**
 * @param {import("./measure.js").Facts} facts
 * @returns {string[][]} a row per step, and one for their sum; "–" where there is nothing to divide
 */
export function tableOf({ steps, peak }) {
  const total = { label: "total", ms: 0, flops: 0, bytes: 0 };
  for (const { ms, flops, bytes } of steps) {
    total.ms += ms;
    total.flops += flops;
    total.bytes += bytes;
  }
  return [...steps, total].map(({ label, ms, flops, bytes }) => [
    label, ms.toFixed(3), rate(100 * ms, total.ms, " %"), rate(flops / 1e6, ms),
    rate(flops / 1e4 / peak.gflops, ms, " %"), (bytes / 1e6).toFixed(2), rate(bytes / 1e6, ms),
  ]);
}

/** @param {number} amount @param {number} per @param {string} [unit] */
function rate(amount, per, unit = "") {
  return amount && per ? `${(amount / per).toFixed(1)}${unit}` : "–";
}
