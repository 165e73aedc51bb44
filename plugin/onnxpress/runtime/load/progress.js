/** What a load has done so far, as one fraction that never falls, not even on a fallback. */

const BYTES = 0.9;
const PREPARED = 0.96;

export class Meter {
  #onProgress;
  #state = "detecting";
  #target;
  #fraction = 0;
  #loaded = 0;
  #total = 0;

  /** @param {(progress: import("../types.js").Progress) => void} [onProgress] */
  constructor(onProgress = () => {}) {
    this.#onProgress = onProgress;
    this.#report(0);
  }

  /**
   * A target's turn begins; what came before the first one's counts.
   * @param {string} target @param {number} total bytes
   */
  begin(target, total) {
    const before = this.#target ? 0 : this.#loaded;
    this.#target = target;
    this.#total = total;
    this.#loaded = 0;
    this.add(before);
  }

  /** @param {number} bytes that arrived; negative where some were in vain */
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

  #report(fraction) {
    this.#fraction = Math.max(this.#fraction, fraction);
    this.#onProgress({
      state: this.#state, fraction: this.#fraction, loaded: this.#loaded, total: this.#total,
      target: this.#target,
    });
  }
}
