import type { Manifest, Port, Targets } from "./types.js";

/**
 * Opens a model.
 * @param url of a manifest.json, relative to the page
 * @throws PressError with a sentence for a person; an AbortError where `signal` says so
 */
export function load(url: string | URL, options?: LoadOptions): Promise<Model>;

export type TargetName = keyof Targets;

export interface LoadOptions {
  /** "auto", the default, obeys ?target=... in the page's address. */
  target?: "auto" | TargetName;
  /**
   * Of WebAssembly. By default what the spec says, or else "auto": as many as pay and as the device
   * has.
   */
  threads?: "auto" | number;
  onProgress?: (progress: Progress) => void;
  /** A target has failed and the next one is tried. */
  onFallback?: (fallback: { from: TargetName; to: TargetName; reason: string }) => void;
  /** Run in a module worker. */
  worker?: boolean;
  signal?: AbortSignal;
  /** The manifest at the URL, where it is known already. */
  manifest?: Manifest;
}

export interface Progress {
  state: "detecting" | "fetching" | "preparing" | "ready";
  /** 0..1, never falls. */
  fraction: number;
  /** Bytes so far. */
  loaded: number;
  /** Bytes in all. */
  total: number;
  target?: TargetName;
}

/** Milliseconds. */
export interface Timings {
  fetch: number;
  prepare: number;
  /**
   * Of the first run: the golden check's, or on WebAssembly the first of `runs`, unless the check
   * came before it.
   */
  first: number;
  runs: number[];
}

/** The golden check on this device; see Golden. */
export interface Check {
  metric: "peak" | "l2";
  tolerance: number;
  /** The error that was found. */
  maxError?: number;
}

/** The values of an input or output; its kind of array follows the port's `dtype`. */
export type TypedArray = Float32Array | Float64Array | Uint8Array | Int8Array | Uint16Array |
  Int16Array | Uint32Array | Int32Array | BigUint64Array | BigInt64Array;

/** A model that is ready to run. */
export interface Model {
  readonly target: TargetName;
  readonly build: string;
  readonly threads: number;
  /** Why this target. */
  readonly reason: string;
  /** What did not go as planned, in words; some come later. */
  readonly notes: string[];
  readonly timings: Timings;
  /** Null until the check is made. */
  readonly check: Check | null;
  /**
   * Settles when the check is made: after the first run on WebAssembly, before it elsewhere. False:
   * this target has failed, another that has passed is in its place, and results so far are to be
   * computed again. Rejects where none is left.
   */
  readonly checked: Promise<boolean>;
  readonly inputs: Port[];
  readonly outputs: Port[];
  /** Flat arrays by the port's name, in and out. */
  run(inputs: Record<string, TypedArray>, options?: { signal?: AbortSignal }):
    Promise<Record<string, TypedArray>>;
  /** The time of one run, step by step. */
  profile(inputs: Record<string, TypedArray>): Promise<{ label: string; ms: number }[]>;
  /** WebGPU, image-to-image: the canvas that drawFrame paints from now on. */
  openFrames(canvas: OffscreenCanvas): Promise<void>;
  /**
   * Paints a frame; nothing is read back, and the frame is closed. A texture is of the same device,
   * so not for a worker.
   * @param changed the other inputs: all of them with the first frame, then the changed ones
   */
  drawFrame(frame: VideoFrame | ImageBitmap | GPUTexture, changed: Record<string, Float32Array>):
    Promise<void>;
  closeFrames(): Promise<void>;
  dispose(): void;
}

/** An error that a person can act on: the message says where, what, and what instead. */
export class PressError extends Error {
  constructor(code: string, message: string,
    more?: { cause?: unknown; file?: string; final?: boolean });
  /**
   * manifest, outdated, download, integrity, browser, target, input, golden, prepare, threads,
   * picture, disposed, ... Undefined where an engine's own error is passed on from a worker.
   */
  code?: string;
  /** The URL of the file in the manifest, where one is at fault. */
  file?: string;
  /** Whether another try would fail in the same way. */
  final?: boolean;
}

/** `<onnx-demo src="manifest.json" loading="click|lazy|eager" target="auto|webgpu|wasm|js">` */
export class OnnxDemo extends HTMLElement {
  static load: typeof load;
}
