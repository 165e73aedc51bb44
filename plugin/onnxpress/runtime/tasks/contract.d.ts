/**
 * The contract of a task: what a model's answer means and how it is shown. A task has a row in
 * ../tasks.js, a module ./NAME.js beside this file, and a Python file of the same name.
 */
import type { Kind } from "../kinds/contract.d.ts";
import type { FramePlan } from "../targets/contract.d.ts";
import type { TypedArray } from "../api.d.ts";
import type { Port, Sample } from "../types.js";

/**
 * What the module of a task exports. In a manifest, `Options` is the type of demo.task and `Given`
 * the type of demo.given, which createDemo has checked.
 */
export interface TaskModule<Options = any, Given = any> {
  /** What a visitor hands over. */
  kind: Kind;
  createView(options: Options, given: Given): View;
  /** Keys of a sample's result that hold URLs. */
  files?: string[];
  /** For answers that a GPU can paint live: the way from a frame to the canvas. */
  planFrames?(options: Options, given: Given, outputs: Port[]): Promise<FramePlan>;
}

/** The part of a panel that shows answers. `Value` and `Seen` come from the task's kind. */
export interface View<Value = any, Seen = any> {
  element: HTMLElement;
  /** What can be done with the answer. */
  tools?: HTMLElement[];
  /** A value was chosen and the model has not run on it yet; a sample may have a result. */
  expect(given: { value: Value; seen: Seen; sample: Sample | null }): void;
  /** Shows an answer. Returns it in words, for a screen reader. */
  show(answer: Answer): string;
  /** The view of a live source; the kind's module defines what it needs. */
  film?(): Film;
}

/** Flat arrays and shapes, by the names of the model's inputs and outputs. */
export interface Answer {
  inputs: Record<string, TypedArray>;
  outputs: Record<string, TypedArray>;
  shapes: Record<string, number[]>;
  labels: string[];
}

export interface Film {
  /** The canvas that the model will paint, still empty. */
  surface: HTMLCanvasElement;
  /** Draws a frame as the model sees it. */
  capture(video: HTMLVideoElement): void;
  /** Shows the canvas once it is painted. */
  reveal(): void;
}
