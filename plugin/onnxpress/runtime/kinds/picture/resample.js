/**
 * Antialiased resizing of columns, then of rows, to the same bits as Pillow's `Image.resize`: each
 * pass has fixed-point weights and rounds to 8 bits. Browsers resize each in their own way, and a
 * model's answer must not depend on the browser. Source: Pillow, src/libImaging/Resample.c.
 */

/** @typedef {{data: Uint8ClampedArray, width: number, height: number}} Pixels  RGB, 3 bytes each */
/** @typedef {"bilinear"|"bicubic"} Filter */
/** @typedef {{begin: number, end: number}} Span */

const BITS = 22; // of a weight's fraction

/**
 * `support`: half of the filter's width.
 * @type {{[name in Filter]: {support: number, weight: (x: number) => number}}}
 */
const FILTERS = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: bicubic },
};

/**
 * Keys' kernel with a = -0.5. Source: Keys, "Cubic convolution interpolation", 1981.
 * @param {number} x
 */
function bicubic(x) {
  const t = Math.abs(x);
  if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
  return t < 2 ? -0.5 * (((t - 5) * t + 8) * t - 4) : 0;
}

/**
 * For each output position of the window: the first input position and the weights from there on.
 * @param {number} from  input positions
 * @param {number} to  output positions
 * @param {Span} window  of the output positions
 * @param {Filter} filter
 */
function taps(from, to, { begin, end: until }, filter) {
  const { support, weight } = FILTERS[filter];
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: until - begin }, (_, i) => {
    const center = (begin + i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support * stretch + 0.5));
    const end = Math.min(from, Math.trunc(center + support * stretch + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) =>
      weight((first + k - center + 0.5) * (1 / stretch)));
    const sum = raw.reduce((a, b) => a + b, 0);
    const fixed = raw.map((w) => {
      const scaled = (w / sum) * 2 ** BITS;
      return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    });
    return { first, weights: Int32Array.from(fixed) };
  });
}

/**
 * One pass along the middle axis.
 * @param {Uint8ClampedArray} data  [outer, from, inner]
 * @param {number} outer
 * @param {number} from
 * @param {number} inner
 * @param {ReturnType<typeof taps>} steps  one for each output position
 * @param {number} begin  the input position that the data begin with
 * @returns {Uint8ClampedArray} [outer, steps, inner]
 */
function pass(data, outer, from, inner, steps, begin = 0) {
  const to = steps.length;
  const out = new Uint8ClampedArray(outer * to * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < to; i++) {
      const { first, weights } = steps[i];
      for (let c = 0; c < inner; c++) {
        let sum = 1 << (BITS - 1);
        let at = (o * from + first - begin) * inner + c;
        for (let k = 0; k < weights.length; k++, at += inner) sum += data[at] * weights[k];
        out[(o * to + i) * inner + c] = sum >> BITS;
      }
    }
  }
  return out;
}

/**
 * A window of the resized picture. What lies outside of it is never made: a picture of 20,000 x 4
 * pixels that fills a square would be a million pixels wide.
 * @param {Pixels} pixels
 * @param {{width: number, height: number}} whole  the picture's size after resizing
 * @param {Span} columns  of the window, within the whole
 * @param {Span} rows
 * @param {Filter} [filter]
 * @returns {Pixels}
 */
export function resample(pixels, whole, columns, rows, filter = "bilinear") {
  const width = columns.end - columns.begin, height = rows.end - rows.begin;
  const down = taps(pixels.height, whole.height, rows, filter);
  const { first: top } = down[0];
  const { first, weights } = down[height - 1];
  const count = first + weights.length - top; // rows of the picture that the window needs
  let data = pixels.data.subarray(3 * pixels.width * top, 3 * pixels.width * (top + count));
  if (width !== pixels.width || whole.width !== width) {
    data = pass(data, count, pixels.width, 3, taps(pixels.width, whole.width, columns, filter));
  }
  if (whole.height !== pixels.height) data = pass(data, 1, count, width * 3, down, top);
  else data = data.subarray(3 * width * (rows.begin - top), 3 * width * (rows.end - top));
  return { data, width, height };
}

/**
 * A window of the picture; pixels outside the picture are `fill`.
 * @param {Pixels} pixels
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 * @param {number} [fill]  a grey, 0..255
 * @returns {Pixels}
 */
export function crop(pixels, left, top, width, height, fill = 0) {
  const data = new Uint8ClampedArray(width * height * 3).fill(fill);
  const x0 = Math.max(left, 0), x1 = Math.min(left + width, pixels.width);
  for (let y = Math.max(top, 0); y < Math.min(top + height, pixels.height); y++) {
    const row = pixels.data.subarray((y * pixels.width + x0) * 3, (y * pixels.width + x1) * 3);
    data.set(row, ((y - top) * width + x0 - left) * 3);
  }
  return { data, width, height };
}
