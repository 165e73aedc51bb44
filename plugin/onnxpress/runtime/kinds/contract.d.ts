/**
 * The contract of an input kind: what a visitor hands over, and the tensor that comes of it. A kind
 * has a module ./NAME.js beside this file, which exports `kind`, and a Python file of the same
 * name.
 */
import type { Model } from "../types.js";

export interface Kind {
  name: string;
  /** Absent where a visitor hands nothing over. */
  given?: Given;
}

/**
 * `Value` is what is handed over, `Seen` is the part of it that the model gets, `Options` are the
 * kind's in a manifest, and `From` is a live source.
 */
export interface Given<Value = any, Seen = any, Options extends { input: string } = any,
  From extends Source = any> {
  words: Words;
  /** Of a file dialog. */
  accept: string;
  /** Codes of errors that another try of the same thing does not mend. */
  faults: string[];
  /** @throws PressError with one of `faults` */
  read(file: Blob, title: string): Promise<Value>;
  see(value: Value, options: Options): Promise<Seen>;
  /** In the input's shape. */
  toTensor(seen: Seen, options: Options): Float32Array;
  /** Where values can come as a stream; a view that has `film` shows them. */
  live?: Live<Options, From>;
}

/** What pages say. */
export interface Words {
  /** The button that asks for a file. */
  choose: string;
  /** While a file is dragged over the demo. */
  drop: string;
  /** What becomes of a visitor's own files. */
  promise: string;
  /** Under a visitor's own file. */
  own: string;
  /** The title of a file without a name. */
  unnamed: string;
  /** Where a run needs a value and has none. */
  missing: string;
  /** Where something was dropped that is no file. */
  foreign: string;
  /** What a visitor can use in place of a sample that does not come. */
  instead: string;
}

/** A source of values that does not end by itself, such as a camera; `From` is what is opened. */
export interface Live<Options = any, From extends Source = any> {
  words: { start: string; stop: string; hint: string; begun: string; ended: string };
  /** Whether this browser can offer it. */
  offered(): boolean;
  /** @throws PressError */
  open(options: Options): Promise<From>;
  /**
   * Shows values as they come until the signal or a hidden page ends it.
   * @returns true at the end; false at once where the model cannot do it here
   */
  run(model: Model, demo: LiveDemo, source: From, options: LiveOptions): Promise<boolean>;
  /** One value as a file. */
  take(source: From): Promise<File>;
}

export interface Source {
  stop(): void;
}

export interface LiveOptions {
  signal: AbortSignal;
  onStart(): void;
  /** Called about once a second. */
  onRate(perSecond: number): void;
}

/** What a live source needs of a demo; see ../page/demo.js. */
export interface LiveDemo {
  film(): import("../tasks/contract.d.ts").Film;
  others(): Record<string, Float32Array>;
}
