/** How far a load is, as one fraction that never falls, not even when another target takes over. */

const BYTES = 0.9; // the fraction when all bytes are here
const PREPARED = 0.96; // the fraction when the program is ready to run

/** @typedef {import("../types.js").Progress} Progress */

export class Meter {
  #onProgress;
  /** @type {Progress["state"]} */
  #state = "detecting";
  /** @type {Progress["target"]} */
  #target;
  #fraction = 0;
  #loaded = 0;
  #total = 0;

  /** @param {(progress: Progress) => void} [onProgress] */
  constructor(onProgress = () => {}) {
    this.#onProgress = onProgress;
    this.#report(0);
  }

  /**
   * A target's turn begins. Bytes that came before the first turn count.
   * @param {NonNullable<Progress["target"]>} target
   * @param {number} total  bytes to download
   */
  begin(target, total) {
    const before = this.#target ? 0 : this.#loaded;
    this.#target = target;
    this.#total = total;
    this.#loaded = 0;
    this.add(before);
  }

  /** @param {number} bytes that arrived; negative where a try has failed */
  add(bytes) {
    if (!this.#target) {
      this.#loaded += bytes;
      return;
    }
    this.#loaded = Math.min(this.#loaded + bytes, this.#total);
    this.#state = this.#loaded === this.#total ? "preparing" : "fetching";
    this.#report((BYTES * this.#loaded) / (this.#total || 1));
  }

  prepared() {
    this.#state = "preparing";
    this.#report(PREPARED);
  }

  ready() {
    this.#state = "ready";
    this.#report(1);
  }

  /** @param {number} fraction 0..1 */
  #report(fraction) {
    if (fraction > this.#fraction) this.#fraction = Math.min(1, fraction); // not so with NaN
    this.#onProgress({
      state: this.#state, fraction: this.#fraction, loaded: this.#loaded, total: this.#total,
      target: this.#target,
    });
  }
}
