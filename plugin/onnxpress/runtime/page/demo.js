/** A manifest's demo brought to life: what is handed over, the controls, the view. */
import { place } from "../load/carried.js";
import { createControls } from "./controls.js";
import { PressError } from "../errors.js";
import { goldenInputs } from "../model/golden.js";
import { looksLikeHtml, request } from "../load/request.js";
import { PLAIN, loadTask } from "../tasks.js";
import { writeOutputs } from "../tensors.js";

/**
 * @param {import("../types.js").Manifest} manifest
 * @param {string} url its own, absolute
 * @param {() => void} onControl a control has moved
 * @returns {Promise<LiveDemo>}
 */
export async function createDemo(manifest, url, onControl) {
  const demo = manifest.demo ?? plainDemo(manifest);
  const task = await loadTask(demo.task);
  const field = task.kind.given?.field;
  if (field && !demo[field]) {
    throw new PressError("manifest", `The manifest does not say how a ${task.kind.name} becomes an ` +
      `input: its demo has no "${field}". The site needs to be built again.`);
  }
  const about = resolveUrls(demo, url, task.files ?? []);
  return new LiveDemo(manifest, about, task, createControls(about, manifest.inputs, onControl));
}

function plainDemo({ name, outputs }) {
  return { title: name, task: PLAIN, output: { name: outputs[0].name } };
}

/**
 * @param {import("../types.js").Demo} demo
 * @param {string} base
 * @param {string[]} files keys of a sample's result that hold URLs
 * @returns {import("../types.js").Demo} with absolute URLs
 */
function resolveUrls(demo, base, files) {
  const absolute = (url) => url && place(new URL(url, base).href);
  const resolved = (result) => result && { ...result,
    ...Object.fromEntries(files.map((key) => [key, absolute(result[key])])) };
  return {
    ...demo,
    labels: typeof demo.labels === "string" ? absolute(demo.labels) : demo.labels,
    samples: (demo.samples ?? []).map((sample) => ({
      ...sample, url: absolute(sample.url), thumbnail: absolute(sample.thumbnail),
      result: resolved(sample.result),
    })),
    controls: (demo.controls ?? []).map((control) => (control.options
      ? { ...control, options: control.options.map(
        (option) => ({ ...option, thumbnail: absolute(option.thumbnail) })) }
      : control)),
  };
}

export class LiveDemo {
  #view;
  #controls;
  #labels = [];
  #value = null;
  #seen = null;

  /**
   * @param {import("../types.js").Manifest} manifest
   * @param {import("../types.js").Demo} about
   * @param {import("../tasks/contract.d.ts").TaskModule} task
   * @param {ReturnType<typeof createControls>} controls
   */
  constructor(manifest, about, task, controls) {
    this.manifest = manifest;
    this.kind = task.kind;
    this.#view = task.createView(about);
    this.#controls = controls;
    this.about = about;
    this.sample = null;
  }

  get element() {
    return this.#view.element;
  }

  /** @returns {HTMLElement[]} what can be done with the result */
  get tools() {
    return this.#view.tools ?? [];
  }

  get controls() {
    return this.#controls.elements;
  }

  /** Where values are handed over: how. */
  get given() {
    return this.kind.given;
  }

  /** The kind's options in the manifest; its `input` is the name of the model's input. */
  get options() {
    return this.given && this.about[this.given.field];
  }

  /** Where values can come as a stream that the view shows: how. */
  get live() {
    return this.#view.film ? this.given?.live : undefined;
  }

  /** @returns {boolean} true where there is something to run on */
  get set() {
    return !this.given || this.#value !== null;
  }

  /** @returns {Promise<() => void>} call it to hand that sample over */
  async pick(index) {
    const sample = this.about.samples[index];
    const { words } = this.given;
    if (!sample) throw new PressError(this.kind.name, words.missing);
    const bytes = await fetchContent(sample.url, sample.title);
    const value = bytes
      && await this.given.read(new Blob([bytes]), sample.title).catch(() => null);
    if (value) return this.#hand(value, sample);
    throw new PressError("download", `The sample "${sample.title}" cannot be downloaded. Check the ` +
      `network and try again, or use ${words.instead}.`);
  }

  /** @param {Blob|null} file the visitor's own @returns {Promise<() => void>} as `pick` */
  async take(file) {
    if (!this.given) throw new PressError("file", "This model takes no files.");
    const { words } = this.given;
    if (!file) throw new PressError(this.kind.name, words.foreign);
    return this.#hand(await this.given.read(file, file.name ?? words.unnamed), null);
  }

  #hand(value, sample) {
    const seen = this.given.see(value, this.options);
    return () => {
      this.#value = value;
      this.#seen = seen;
      this.sample = sample;
      this.#view.expect({ value, seen, sample });
    };
  }

  /** @returns {Object<string, ArrayBufferView>} for Model.run */
  inputs() {
    const { inputs } = this.manifest;
    const { given, options } = this;
    const values = this.others();
    if (given) values[options.input] = given.toTensor(this.#seen, options);
    return writeOutputs(inputs, inputs.map(({ name }) => values[name]));
  }

  /**
   * All inputs but the one that is handed over, by name; where no control sets one, it has the
   * random numbers of the golden check.
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

  /** What a live source needs. @returns {import("../tasks/contract.d.ts").Film} */
  film() {
    this.sample = null;
    return this.#view.film();
  }

  /** @returns {Promise<string>} the result in words */
  async show(inputs, outputs) {
    if (!this.#labels.length) this.#labels = await readLabels(this.about.labels);
    const ports = [...this.manifest.inputs, ...this.manifest.outputs];
    const shapes = Object.fromEntries(ports.map(({ name, shape }) => [name, shape]));
    return this.#view.show({ inputs, outputs, shapes, labels: this.#labels });
  }
}

/** @returns {Promise<string[]>} empty where the file cannot be had: classes then go by number */
async function readLabels(labels = []) {
  if (Array.isArray(labels)) return labels;
  const bytes = await fetchContent(labels, "labels");
  return bytes ? new TextDecoder().decode(bytes).split(/\r?\n/) : [];
}

/** @returns {Promise<ArrayBuffer|null>} null where it cannot be had */
async function fetchContent(url, name) {
  const bytes = await request(url, { name }).catch(() => null);
  return bytes && !looksLikeHtml(bytes) ? bytes : null;
}
