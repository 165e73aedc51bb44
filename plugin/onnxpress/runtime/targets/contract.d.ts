/**
 * The contract between the model, which chooses a target, and the targets. A target has a row in
 * ../targets.js and a module ./NAME.js beside this file.
 */
import type { Groups } from "./webgpu/commands.js";
import type { OnPart } from "../load/request.js";
import type { WeightStream } from "../load/weights.js";
import type { TargetName } from "../api.d.ts";
import type { Demo, FileEntry, Port, Target as Built } from "../types.js";

export type { Built, TargetName };

/** A row of ../targets.js. */
export interface Target {
  /** The name that visitors see. */
  label: string;
  /**
   * Whether the target runs here, and in which builds, best first.
   * @param built the target's part of the manifest
   * @param choosing whether the model has other targets, too
   */
  probe(built: Built, choosing: boolean): Verdict[] | Promise<Verdict[]>;
  /** Loads the module that runs programs. */
  load(): Promise<TargetModule>;
  /** Whether the golden check may follow the first result; else it comes before. */
  checkedLater?: boolean;
  /**
   * How many threads run a build; without this, one thread does.
   * @param asked by the page or the spec
   * @param built with the facts of the build's arithmetic
   * @throws PressError "threads": no number of threads was asked for
   */
  threads?(asked: "auto" | number, built: Built): { threads: number; refusal?: string };
  /** Whether the page can run it and `worker`, as that describes itself, cannot. */
  pageOnly?(worker: { gpu: boolean }): boolean;
}

export type Verdict = Offer | Refusal;

/** The target runs here. */
export interface Offer {
  /** The name of the file in the manifest's `files` of the target. */
  build: string;
  /** The end of a sentence: why this build. */
  reason: string;
  /** Why every other target comes first. */
  after?: string;
}

/** The target does not run here. */
export interface Refusal {
  /** The end of a sentence: why not. */
  refusal: string;
}

/** A target and a build that may run here. */
export interface Candidate {
  target: TargetName;
  build: string;
  threads: number;
  /** The end of a sentence: why this one. */
  reason: string;
}

/** What the module of a target exports. */
export interface TargetModule {
  /**
   * Makes a program ready to run.
   * @param built the target's part of the manifest
   * @param fetchFile downloads and verifies a published file
   * @param weights the model's constants, in the order of their arrival
   * @throws PressError the program cannot run here
   */
  open(built: Built, fetchFile: FetchFile, weights: WeightStream, options: OpenOptions):
    Promise<Executable>;
}

/** `onPart` is called as the file comes, before it is verified. */
export type FetchFile = (entry: FileEntry, onPart?: OnPart) => Promise<ArrayBuffer>;

export interface OpenOptions {
  build: string;
  threads: number;
  /** Downloads and verifies a published script, and imports it. */
  loadModule(entry: FileEntry): Promise<Record<string, unknown>>;
}

/** A program that is ready to run. Its caller makes one call at a time. */
export interface Executable {
  /** Values of all inputs -> values of all outputs, both in the model's order. */
  run(inputs: Float32Array[]): Promise<Float32Array[]>;
  /** The time of one run, step by step. */
  profile(inputs: Float32Array[]): Promise<{ label: string; ms: number }[]>;
  /**
   * Frames whose answers are painted on the GPU, without a read-back. WebGPU only.
   * @param canvas takes the size of the plan
   */
  openFrames?(canvas: FrameCanvas, plan: FramePlan): Promise<Frames>;
  /** Frees the memory and the threads. */
  dispose(): void;
}

/** From a frame to the model's input and from its output to a canvas: shaders and their numbers. */
export interface FramePlan {
  /** The names of the input and the output. */
  input: string;
  output: string;
  /** Height and width of the canvas. */
  size: [number, number];
  /**
   * A compute shader: binding 0 is the numbers, 1 the frame's texture, 2 the input's f32 values.
   */
  reader: {
    code: string;
    groups: Groups;
    numbers(frame: { width: number; height: number }): ArrayBuffer;
  };
  /** A vertex and a fragment shader: binding 0 is the numbers, 1 the output's f32 values. */
  painter: { code: string; numbers: ArrayBuffer };
}

/** The plan for a demo's frames; null where a GPU cannot paint its answers. The tasks know it. */
export type PlanFrames = (demo: Demo, outputs: Port[]) => Promise<FramePlan | null>;

/** A canvas, as far as frames need one. */
export interface FrameCanvas {
  width: number;
  height: number;
  getContext(kind: "webgpu"): FrameContext | null;
}

export type FrameContext =
  Pick<GPUCanvasContext, "configure" | "unconfigure" | "getCurrentTexture">;

/** A texture is one of the same device, in rgba8unorm. */
export type Frame = VideoFrame | ImageBitmap | GPUTexture;

/** Frames to one canvas. */
export interface Frames {
  /**
   * Paints a frame; done when the promise resolves. Calls may overlap: frames are painted in order.
   * @param changed the other inputs by name: all of them with the first frame, then the changed
   *   ones
   * @throws PressError "webgpu-lost", "webgpu-validation"
   */
  draw(frame: Frame, changed: Record<string, Float32Array>): Promise<void>;
  close(): void;
}
