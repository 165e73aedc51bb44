/**
 * The shapes of everything that the runtime reads (manifest.json) and gives (Model).
 * URLs in a manifest are relative to the manifest itself.
 */

/**
 * @typedef {Object} Port  An input or output, as in the ONNX model.
 * @property {string} name
 * @property {number[]} shape
 * @property {"f32"|"f64"|"f16"|"i8"|"u8"|"i16"|"u16"|"i32"|"u32"|"i64"|"u64"|"bool"} dtype
 */

/**
 * @typedef {Object} FileEntry  One published file; its name carries a content hash.
 * @property {string} url
 * @property {number} bytes
 * @property {string} sha256  hexadecimal
 */

/**
 * @typedef {FileEntry & {packed?: {bytes: number, planes: 1|2|4, raw: number}}} Shard  A slice of
 *   the stream of weights. `packed`: the file unpacks to `bytes` in so many planes, the first bytes
 *   of every value, then the second ones, and so on; the first `raw` of them lie there as they are,
 *   the others deflated (RFC 1950)
 */

/**
 * @typedef {Object} WeightTensor
 * @property {string} name
 * @property {number[]} shape
 * @property {"f32"|"f16"|"int8"|"int4"} encoding  int8 is symmetric per last axis; int4 per `group`
 *   rows of a column (rows: all axes but the last), two values a byte, the first in the low bits
 * @property {number} shard  where it starts; it may run on into the following shards
 * @property {number} offset  in bytes of the unpacked shard, a multiple of 16
 * @property {number} bytes
 * @property {{shard: number, offset: number, bytes: number}} [scale]  int8: one f32 per index of
 *   the last axis; int4: one f16 per group and index of the last axis
 * @property {number} [group]  of int4
 */

/**
 * @typedef {Object} Tried  A way to store the weights, and the figure nearest to its limit.
 * @property {string} encoding
 * @property {number} bytes  downloaded
 * @property {boolean} holds
 * @property {"cosine"|"psnr_db"|"iou"|"relative_l2"|"max_error_over_peak"} judged
 * @property {number} value
 * @property {number} limit
 * @property {boolean|null} same_top1  on the samples; null where there is no class to ask
 * @property {string} reason  which tensors differ, or ""
 */

/**
 * @typedef {Object} Golden  Random inputs and what onnxruntime made of them.
 * @property {number} seed
 * @property {[number, number][]} ranges  one per input
 * @property {{indices: number[], values: number[], peak: number}[]} outputs
 * @property {"peak"|"l2"} metric  max |error| / peak, or the error's norm over the values'
 * @property {number} tolerance
 */

/** @typedef {{metric: "peak"|"l2", tolerance: number, maxError?: number}} Check  `maxError`: found */

/**
 * @typedef {Object} Target
 * @property {Object<string, FileEntry>} files  by build
 * @property {Object<string, Check>} [checks]  of builds that are held to other figures than the
 *   golden's
 * @property {{f32: number}} [work]  of wasm's builds in f32: multiply-adds; where `arithmetic` is
 * @property {Object<string, {work: Object<string, number>, golden: Golden}>} [arithmetic]  of wasm's
 *   builds that multiply whole numbers and are called int8-* and int16-*: multiply-adds by kind of
 *   operand, the outputs that they give, and what else differs from the target's own description
 */

/**
 * @typedef {Object} Manifest
 * @property {1} onnxpress  the format's version
 * @property {string} name
 * @property {Port[]} inputs
 * @property {Port[]} outputs
 * @property {{bytes: number, encoding: string, tried: Tried[], shards: Shard[],
 *   tensors: WeightTensor[]}} weights  `tried`: in this order, the chosen one last
 * @property {{holds: boolean, layer: string, peak: number, limit: number}} f16  whether f16
 *   arithmetic could hold what every step computes, and keeps the result where it was tried;
 *   `layer` is the one that computes most
 * @property {Object<string, Target>} targets
 * @property {Golden} golden
 * @property {{target: string, build: string, max_error_over_peak: number}[]} proof
 * @property {{where: string, reason: string}[]} notes
 * @property {Demo} [demo]  absent where a pack was compiled without a spec
 * @property {OneFile} [oneFile]  absent there too, and inside the one file itself
 */

/**
 * @typedef {FileEntry & {total: number}} OneFile  The demo as one HTML file of `total` bytes: a list
 *   of strings and FileEntries, whose base64 stands between them; see save.js.
 */

/**
 * @typedef {Object} Demo  What `<onnx-demo>` shows around the model.
 * @property {string} title
 * @property {"image-classification"|"image-to-image"|"segmentation"|"tensor"} task
 * @property {ImageInput} [image]  the input that takes a picture; absent for "tensor"
 * @property {Output} output
 * @property {string[]|string} [labels]  a list, or the URL of a text file with one label per line
 * @property {Sample[]} [samples]  the first one is the poster's
 * @property {(Blend|Slider|Constant)[]} [controls]  every other input of the model
 * @property {View} [view]
 * @property {"auto"|number} [threads]  of WebAssembly; "auto"
 * @property {string} [weightsNote]  shown in plain sight, e.g. "The weights are untrained: ..."
 */

/**
 * @typedef {Object} ImageInput  From a picture to a tensor; see kinds/picture.js and resample.js.
 * Steps: orient by EXIF, put on white where transparent, resize, centre-crop, then
 * (value * scale - mean) / std with value in 0..255, then reorder.
 * @property {string} input  the port's name
 * @property {[number, number]} size  [height, width] of the tensor
 * @property {"cover"|"contain"|"stretch"|{shorter: number}} resize  cover: fill and crop; contain:
 *   fit inside and pad; stretch: ignore proportions; shorter: that many pixels on the shorter side
 *   (the other side rounded down), then crop to `size`
 * @property {"bilinear"|"bicubic"} [filter]  bilinear; both antialias, as Pillow does
 * @property {"nchw"|"nhwc"} layout
 * @property {"rgb"|"bgr"|"gray"} [channels]  rgb; gray is ITU-R 601 luma, as Pillow's "L"
 * @property {number} [scale]  1/255
 * @property {number[]} [mean]  one per channel or a single number; 0
 * @property {number[]} [std]  the same; 1
 * @property {number} [pad]  the grey (0..255) around a "contain" picture; 0
 */

/**
 * @typedef {Object} Output
 * @property {string} name
 * @property {"logits"|"probabilities"|"classes"} [kind]  classification: softmax is applied to
 *   logits. segmentation: "logits" or "probabilities" have a class axis, "classes" holds indices
 * @property {"nchw"|"nhwc"} [layout]  of a picture or a mask
 * @property {"rgb"|"bgr"|"gray"} [channels]  of a picture; rgb
 * @property {[number, number]} [range]  of a picture: the values of black and white; [0, 1]
 */

/**
 * @typedef {Object} Sample
 * @property {string} url
 * @property {string} title  also the picture's text alternative
 * @property {string} [thumbnail]  URL of a small square picture
 * @property {string} [licence]
 * @property {string} [author]
 * @property {string} [source]
 * @property {{top?: {label: string, score: number}[], image?: string}} [result]  computed at build:
 *   shown while the model loads. `image` is the URL of a picture or of a mask to lay over one
 */

/**
 * @typedef {Object} Blend  An input that holds one weight per option; the weights add up to 1.
 * @property {"blend"} kind
 * @property {string} input
 * @property {string} label  e.g. "Style"
 * @property {{name: string, thumbnail?: string}[]} options
 * @property {number} [initial]  index of the option chosen at first; 0
 */

/**
 * @typedef {Object} Slider  An input filled with one number.
 * @property {"slider"} kind
 * @property {string} input
 * @property {string} label
 * @property {number} min
 * @property {number} max
 * @property {number} [step]
 * @property {number} value
 */

/**
 * @typedef {Object} Constant  An input that the visitor does not change.
 * @property {"constant"} kind
 * @property {string} input
 * @property {number[]} values
 */

/**
 * @typedef {Object} View
 * @property {number} [top]  classification: how many bars; 5
 */

/**
 * The poster, written at build inside `<onnx-demo>`; it stays until the visitor's first run and is
 * all there is without JavaScript. The page links onnxpress.css for it; the classes are:
 *
 *   <onnx-demo src="manifest.json" loading="click">
 *     <figure class="onnx-poster">
 *       <div class="onnx-picture"><img src="cat.jpg" alt="A cat" width="451" height="300"></div>
 *       <ol class="onnx-bars">
 *         <li class="onnx-bar"><span>Egyptian cat</span><b>52.1 %</b>
 *           <svg aria-hidden="true"><rect width="52.1%" height="100%"></rect></svg></li>
 *       </ol>
 *       <figcaption>Computed when this page was built.</figcaption>
 *     </figure>
 *   </onnx-demo>
 *
 * A picture result has `<div class="onnx-pair"><img alt="Before"><img alt="After"></div>` in place
 * of the picture and the bars; both pictures have the same size.
 */

/**
 * @typedef {Object} Candidate  A target that may run here, best first.
 * @property {"webgpu"|"wasm"|"js"} target
 * @property {string} build  the name of the file in manifest.targets[target].files
 * @property {number} threads
 * @property {string} reason  a sentence: why this one
 */

/**
 * @typedef {Object} Executable  What a backend opens.
 * @property {(inputs: Float32Array[]) => Promise<Float32Array[]>} run
 * @property {(inputs: Float32Array[]) => Promise<{label: string, ms: number}[]>} profile
 * @property {(canvas: OffscreenCanvas, demo: Demo, shape: number[]) => Promise<Object>}
 *   [openFrames]  of WebGPU
 * @property {() => void} dispose
 */

/**
 * @typedef {Object} LoadOptions
 * @property {"auto"|"webgpu"|"wasm"|"js"} [target]
 * @property {"auto"|number} [threads]  of WebAssembly; by default what the spec says, or else
 *   "auto": as many as pay and the device has
 * @property {(progress: Progress) => void} [onProgress]
 * @property {(fallback: {from: string, to: string, reason: string}) => void} [onFallback]
 * @property {boolean} [worker]  run in a module worker
 * @property {AbortSignal} [signal]
 * @property {Manifest} [manifest]  the one at the URL, where it is known already
 */

/**
 * @typedef {Object} Progress
 * @property {"detecting"|"fetching"|"preparing"|"ready"} state
 * @property {number} fraction  0..1, never falls
 * @property {number} loaded  bytes
 * @property {number} total  bytes
 * @property {string} [target]
 */

/**
 * @typedef {Object} Timings  Milliseconds; `first` is the first run at all: the golden check's, or on
 *   WebAssembly the first of `runs`, unless the check came before it.
 * @property {number} fetch
 * @property {number} prepare
 * @property {number} first
 * @property {number[]} runs
 */

/**
 * @typedef {Object} Model
 * @property {string} target
 * @property {string} build
 * @property {number} threads
 * @property {string} reason  why this target
 * @property {string[]} notes  what did not go as planned, in words; some come later
 * @property {Timings} timings
 * @property {Check|null} check  the golden check here; null until it is made
 * @property {Promise<boolean>} checked  settles when it is: after the first run on WebAssembly,
 *   before it elsewhere. False: this target has failed, another that has passed is in its place, and
 *   results so far are to be computed again. Rejects where none is left.
 * @property {Port[]} inputs
 * @property {Port[]} outputs
 * @property {(inputs: Object<string, ArrayBufferView>, options?: {signal?: AbortSignal}) =>
 *   Promise<Object<string, ArrayBufferView>>} run
 * @property {(inputs: Object<string, ArrayBufferView>) =>
 *   Promise<{label: string, ms: number}[]>} profile  of one run, step by step
 * @property {(canvas: OffscreenCanvas) => Promise<void>} openFrames  WebGPU, image-to-image: the
 *   canvas that drawFrame paints from now on
 * @property {(frame: VideoFrame|ImageBitmap|GPUTexture, changed: Object<string, Float32Array>) =>
 *   Promise<void>} drawFrame  painted when it resolves, nothing is read back; the frame is closed.
 *   A texture is of the same device, so not for a worker.
 *   `changed`: the other inputs, all of them with the first frame, then those with news
 * @property {() => Promise<void>} closeFrames
 * @property {() => void} dispose
 */

export {};
