/** A target that may run here, best first. */
export interface Candidate {
  target: "webgpu" | "wasm" | "js";
  /** The name of the file in manifest.targets[target].files. */
  build: string;
  threads: number;
  /** A sentence: why this one. */
  reason: string;
}

/** What a target's module opens. */
export interface Executable {
  run(inputs: Float32Array[]): Promise<Float32Array[]>;
  profile(inputs: Float32Array[]): Promise<{ label: string; ms: number }[]>;
  /** Of WebGPU. */
  openFrames?(canvas: OffscreenCanvas, demo: import("./types.js").Demo, shape: number[]): Promise<object>;
  dispose(): void;
}
