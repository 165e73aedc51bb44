/** A manifest's demo brought to life: the chosen picture, the controls, the view. */
import { place } from "../load/carried.js";
import { createControls } from "./controls.js";
import { PressError } from "../errors.js";
import { goldenInputs } from "../model/golden.js";
import { readPicture } from "../kinds/picture.js";
import { fit, toTensor } from "../kinds/picture/tensor.js";
import { looksLikeHtml, request } from "../load/request.js";
import { writeOutputs } from "../tensors.js";

const VIEWS = {
  "image-classification": () => import("../tasks/image-classification.js"),
  "image-to-image": () => import("../tasks/image-to-image.js"),
  segmentation: () => import("../tasks/segmentation.js"),
  tensor: () => import("../tasks/tensor.js"),
};

/**
 * @param {import("../types.js").Manifest} manifest
 * @param {string} url its own, absolute
 * @param {() => void} onControl a control has moved
 * @returns {Promise<LiveDemo>}
 */
export async function createDemo(manifest, url, onControl) {
  const about = resolveUrls(manifest.demo ?? plainDemo(manifest), url);
  const { createView } = await VIEWS[about.task]();
  return new LiveDemo(manifest, about, createView(about),
    createControls(about, manifest.inputs, onControl));
}

/** A pack that was compiled without a spec: its numbers are the show. */
function plainDemo({ name, outputs }) {
  return { title: name, task: "tensor", output: { name: outputs[0].name } };
}

/** @param {import("../types.js").Demo} demo @returns {import("../types.js").Demo} URLs to load */
function resolveUrls(demo, base) {
  const absolute = (url) => url && place(new URL(url, base).href);
  return {
    ...demo,
    labels: typeof demo.labels === "string" ? absolute(demo.labels) : demo.labels,
    samples: (demo.samples ?? []).map((sample) => ({
      ...sample, url: absolute(sample.url), thumbnail: absolute(sample.thumbnail),
      result: sample.result && { ...sample.result, image: absolute(sample.result.image) },
    })),
    controls: (demo.controls ?? []).map((control) => (control.options
      ? { ...control, options: control.options.map(
        (option) => ({ ...option, thumbnail: absolute(option.thumbnail) })) }
      : control)),
  };
}

class LiveDemo {
  #view;
  #controls;
  #labels = [];
  #picture = null;
  #seen = null;

  constructor(manifest, about, view, controls) {
    this.manifest = manifest;
    this.#view = view;
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

  /** @returns {boolean} true where there is something to run on */
  get set() {
    return !this.about.image || this.#picture !== null;
  }

  /** @returns {Promise<() => void>} call it to make that sample the picture */
  async pick(index) {
    const sample = this.about.samples[index];
    if (!sample) throw new PressError("picture", "Choose a picture first.");
    const bytes = await fetchContent(sample.url, sample.title);
    const picture = bytes && await readPicture(new Blob([bytes]), sample.title).catch(() => null);
    if (picture) return this.#place(picture, sample);
    throw new PressError("download", `The sample "${sample.title}" cannot be downloaded. Check the ` +
      "network and try again, or use a picture of your own.");
  }

  /** @param {Blob} blob the visitor's own file @returns {Promise<() => void>} as `pick` */
  async take(blob) {
    if (!this.about.image) throw new PressError("picture", "This model takes no pictures.");
    return this.#place(await readPicture(blob, blob.name ?? "Your picture"), null);
  }

  #place(picture, sample) {
    const seen = fit(picture.pixels(), this.about.image);
    return () => {
      this.#picture = picture;
      this.#seen = seen;
      this.sample = sample;
      this.#view.expect({ picture, seen, sample });
    };
  }

  /** @returns {Object<string, ArrayBufferView>} for Model.run */
  inputs() {
    const { inputs } = this.manifest;
    const { image } = this.about;
    const values = this.others();
    if (image) values[image.input] = toTensor(this.#seen, image);
    return writeOutputs(inputs, inputs.map(({ name }) => values[name]));
  }

  /** @returns {Object<string, Float32Array>} all inputs but the picture, by name */
  others() {
    const { golden, inputs } = this.manifest;
    const { image } = this.about;
    const values = image ? this.#controls.values() : {};
    const names = inputs.map(({ name }) => name).filter((name) => name !== image?.input);
    const drawn = names.every((name) => values[name]) ? [] : goldenInputs(golden, inputs);
    return Object.fromEntries(inputs.flatMap(({ name }, i) => (
      names.includes(name) ? [[name, Float32Array.from(values[name] ?? drawn[i])]] : [])));
  }

  /** What a video in place of the picture needs; see tasks/image-to-image.js. */
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
