/** A manifest's demo brought to life: what is handed over, the controls, the view. */
import { PressError } from "../errors.js";
import { place } from "../load/carried.js";
import { looksLikeHtml, request } from "../load/request.js";
import { goldenInputs } from "../model/golden.js";
import { PLAIN, loadTask } from "../tasks.js";
import { writeOutputs } from "../tensors.js";
import { createControls } from "./controls.js";

/**
 * @typedef {import("../types.js").Manifest} Manifest
 * @typedef {import("../types.js").Demo} Demo
 * @typedef {import("../types.js").Sample} Sample
 * @typedef {import("../api.d.ts").TypedArray} TypedArray
 */

/**
 * @param {Manifest} manifest
 * @param {string} url  the manifest's, absolute
 * @param {() => void} onControl  called when a control has moved
 * @returns {Promise<LiveDemo>}
 */
export async function createDemo(manifest, url, onControl) {
  const demo = manifest.demo ?? plainDemo(manifest);
  const task = await loadTask(demo.task.name);
  const { kind } = task;
  if (kind.given && demo.given?.kind !== kind.name) {
    throw new PressError("manifest", `The manifest does not say how a ${kind.name} becomes an ` +
      "input. The site needs to be built again.");
  }
  const about = resolveUrls(demo, url, task.files ?? []);
  return new LiveDemo(manifest, about, task, createControls(about, manifest.inputs, onControl));
}

/** @param {Manifest} manifest  without a demo @returns {Demo} */
function plainDemo({ name, outputs }) {
  return { title: name, task: { name: PLAIN, output: outputs[0].name } };
}

/**
 * @param {Demo} demo
 * @param {string} base
 * @param {string[]} files  of a sample's result
 * @returns {Demo} with absolute URLs
 */
function resolveUrls(demo, base, files) {
  /** @param {string} url */
  const absolute = (url) => place(new URL(url, base).href);
  /** @param {string} [url] */
  const perhaps = (url) => url && absolute(url);
  /** @param {Sample["result"]} result */
  const resolved = (result) => result && Object.assign({}, result, Object.fromEntries(
    Object.entries(result).flatMap(([key, value]) => (
      files.includes(key) ? [[key, perhaps(value)]] : []))));
  const { labels, samples = [], controls = [] } = demo;
  return {
    ...demo,
    labels: typeof labels === "string" ? absolute(labels) : labels,
    samples: samples.map((sample) => ({
      ...sample, url: absolute(sample.url), thumbnail: perhaps(sample.thumbnail),
      result: resolved(sample.result),
    })),
    controls: controls.map((control) => (control.kind !== "blend" ? control : {
      ...control,
      options: control.options.map(({ name, thumbnail }) => (
        { name, thumbnail: perhaps(thumbnail) })),
    })),
  };
}

export class LiveDemo {
  #view;
  #controls;
  /** @type {string[]} */
  #labels = [];
  /**
   * What was handed over, and the part of it that the model gets.
   * @type {{value: any, seen: any}|null}
   */
  #handed = null;
  /** The sample that was handed over, if it was one. @type {Sample|null} */
  sample = null;

  /**
   * @param {Manifest} manifest
   * @param {Demo} about
   * @param {import("../tasks/contract.d.ts").TaskModule} task
   * @param {ReturnType<typeof createControls>} controls
   */
  constructor(manifest, about, task, controls) {
    this.manifest = manifest;
    this.kind = task.kind;
    this.#view = task.createView(about.task, about.given);
    this.#controls = controls;
    this.about = about;
  }

  get element() {
    return this.#view.element;
  }

  /** @returns {HTMLElement[]} buttons for the answer */
  get tools() {
    return this.#view.tools ?? [];
  }

  get controls() {
    return this.#controls.elements;
  }

  /** How values are handed over, if they are. */
  get given() {
    return this.kind.given;
  }

  /** The kind's options in the manifest; its `input` is the name of the model's input. */
  get options() {
    return this.about.given;
  }

  /** The source of a stream of values, where there is one that the view shows. */
  get live() {
    return this.#view.film ? this.given?.live : undefined;
  }

  /** @returns {boolean} whether there is a value to run on, or none is needed */
  get set() {
    return !this.given || this.#handed !== null;
  }

  /** @throws {PressError} "file": the model takes none */
  #taking() {
    if (this.given) return this.given;
    throw new PressError("file", "This model takes no files.");
  }

  /**
   * @param {number} index of a sample
   * @returns {Promise<() => void>} hands that sample over
   * @throws {PressError} there is no such sample, or it does not come
   */
  async pick(index) {
    const sample = this.about.samples?.[index];
    const given = this.#taking();
    if (!sample) throw new PressError(this.kind.name, given.words.missing);
    const bytes = await fetchContent(sample.url, sample.title);
    const value = bytes && await given.read(new Blob([bytes]), sample.title).catch(() => null);
    if (value) return this.#hand(value, sample);
    throw new PressError("download", `The sample "${sample.title}" cannot be downloaded. Check ` +
      `the network and try again, or use ${given.words.instead}.`);
  }

  /**
   * @param {Blob|null} file  the visitor's own; null where something else was handed over
   * @returns {Promise<() => void>} hands the file over
   * @throws {PressError} the kind cannot read it
   */
  async take(file) {
    const given = this.#taking();
    if (!file) throw new PressError(this.kind.name, given.words.foreign);
    const name = file instanceof File ? file.name : given.words.unnamed;
    return this.#hand(await given.read(file, name), null);
  }

  /** @param {unknown} value @param {Sample|null} sample @returns {Promise<() => void>} */
  async #hand(value, sample) {
    const seen = await this.#taking().see(value, this.options);
    return () => {
      this.#handed = { value, seen };
      this.sample = sample;
      this.#view.expect({ value, seen, sample });
    };
  }

  /** @returns {Object<string, TypedArray>} for Model.run */
  inputs() {
    const { inputs } = this.manifest;
    const { given, options } = this;
    const values = this.others();
    if (given && options) values[options.input] = given.toTensor(this.#handed?.seen, options);
    return writeOutputs(inputs, inputs.map(({ name }) => values[name]));
  }

  /**
   * By name, all inputs but the one that is handed over. An input without a control has the random
   * numbers of the golden check.
   * @returns {Object<string, Float32Array>}
   */
  others() {
    const { golden, inputs } = this.manifest;
    const values = this.#controls.values();
    const names = inputs.map(({ name }) => name).filter((name) => name !== this.options?.input);
    const drawn = names.every((name) => values[name]) ? [] : goldenInputs(golden, inputs);
    return Object.fromEntries(inputs.flatMap(({ name }, i) => (
      names.includes(name) ? [[name, Float32Array.from(values[name] ?? drawn[i])]] : [])));
  }

  /** The view of a live source. @returns {import("../tasks/contract.d.ts").Film} */
  film() {
    this.sample = null;
    if (this.#view.film) return this.#view.film();
    throw new TypeError("the view shows no stream");
  }

  /**
   * @param {Object<string, TypedArray>} inputs
   * @param {Object<string, TypedArray>} outputs
   * @returns {Promise<string>} the answer in words
   */
  async show(inputs, outputs) {
    if (!this.#labels.length) this.#labels = await readLabels(this.about.labels);
    const ports = [...this.manifest.inputs, ...this.manifest.outputs];
    const shapes = Object.fromEntries(ports.map(({ name, shape }) => [name, shape]));
    return this.#view.show({ inputs, outputs, shapes, labels: this.#labels });
  }
}

/**
 * @param {string[]|string} [labels]  a list, or the URL of a file
 * @returns {Promise<string[]>} empty where the file does not come: classes then go by number
 */
async function readLabels(labels = []) {
  if (Array.isArray(labels)) return labels;
  const bytes = await fetchContent(labels, "labels");
  return bytes ? new TextDecoder().decode(bytes).split(/\r?\n/) : [];
}

/**
 * @param {string} url
 * @param {string} name
 * @returns {Promise<ArrayBuffer|null>} null where it does not come
 */
async function fetchContent(url, name) {
  const bytes = await request(url, { name }).catch(() => null);
  return bytes && !looksLikeHtml(bytes) ? bytes : null;
}
