/**
 * The messages between a page (host.js) and its worker (../worker.js), which holds all its models.
 */
import type { PackedError } from "../errors.js";
import type { Frame } from "../targets/contract.d.ts";
import type { LoadOptions, Model, Progress, TypedArray } from "../api.d.ts";
import type { OpenOptions } from "./model.js";

/** What the worker can do. */
export interface Hello {
  gpu: boolean;
}

/** What a model says of itself. */
export type About = Pick<Model, "target" | "build" | "threads" | "reason" | "notes" | "timings" |
  "check" | "inputs" | "outputs">;

/** The worker's functions: what each is given, and its answer. */
export interface Calls {
  open: {
    given: {
      url: string;
      options: Pick<OpenOptions, "target" | "threads" | "avoid" | "first" | "manifest">;
    };
    answer: void;
  };
  run: { given: { inputs: Record<string, TypedArray> }; answer: Record<string, TypedArray> };
  profile: {
    given: { inputs: Record<string, TypedArray> };
    answer: { label: string; ms: number }[];
  };
  openFrames: { given: { canvas: OffscreenCanvas }; answer: void };
  drawFrame: { given: { frame: Frame; changed: Record<string, Float32Array> }; answer: void };
  closeFrames: { given: {}; answer: void };
}

/** A call of a function by name. */
export type Call<Name extends keyof Calls> = { call: Name } & Calls[Name]["given"];

/** What the worker tells of a model between its answers. */
export interface Events {
  about(value: About): void;
  /** The check's outcome; see Model.checked. */
  checked(value: { holds?: boolean; error?: PackedError; about: About }): void;
  /** All files are stored for the next visit. */
  stored(): void;
  /** The worker has ended. The host itself tells it. */
  gone(error: Error): void;
  onProgress?: (progress: Progress) => void;
  onFallback?: LoadOptions["onFallback"];
}
