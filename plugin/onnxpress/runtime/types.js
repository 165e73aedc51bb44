/**
 * The types of everything that the runtime reads (manifest.json) and gives (Model).
 * URLs in a manifest are relative to the manifest itself.
 * Made by `python -m onnxpress.manifest` from the dataclasses in pack/, manifest/, kinds/ and
 * tasks/, and from api.d.ts: change those instead.
 */
/**
 * @typedef {Object} Manifest  A pack: the model's weights, its program for each target, and their
 *   proof.
 * @property {string} name
 * @property {1} onnxpress  the format's version
 * @property {Port[]} inputs
 * @property {Port[]} outputs
 * @property {Weights} weights
 * @property {Targets} targets
 * @property {F16} [f16]
 * @property {Golden} golden
 * @property {ProofRow[]} proof
 * @property {"onnxruntime"|"onnx.reference"|"graph"} [yardstick]  what the graph in float64 was
 *   compared with; "graph" where nothing else can run the model
 * @property {Note[]} notes
 * @property {Statistics} [statistics]
 * @property {Demo} [demo]  absent where a pack was compiled without a spec
 * @property {OneFile} [oneFile]  the demo as one HTML file; absent inside that file itself
 */
/**
 * @typedef {Object} Port  An input or output, as in the ONNX model.
 * @property {string} name
 * @property {number[]} shape
 * @property {"f32"|"f64"|"f16"|"i8"|"u8"|"i16"|"u16"|"i32"|"u32"|"i64"|"u64"|"bool"} dtype
 */
/**
 * @typedef {Object} Weights  All constants of the model.
 * @property {"f32"|"f16"|"int8"|"int4"} [encoding]
 * @property {Tried[]} [tried]  in this order; the last one is the chosen one
 * @property {number} bytes  of all shards, as downloaded
 * @property {Shard[]} shards
 * @property {WeightTensor[]} tensors
 */
/**
 * @typedef {Object} Tried  A way to store the weights that was tried, with the figure nearest to
 *   its limit.
 * @property {"f32"|"f16"|"int8"|"int4"} encoding
 * @property {number} bytes  of all shards, as downloaded
 * @property {boolean} holds
 * @property {"cosine"|"psnr_db"|"iou"|"relative_l2"|"max_error_over_peak"|"excess"} judged  the
 *   name of the figure
 * @property {number} value
 * @property {number} limit
 * @property {boolean|null} same_top1  whether every sample keeps its first class; null where the
 *   model names no classes
 * @property {string} reason  which tensors are stored otherwise, or an empty text
 */
/**
 * @typedef {Object} Shard  A file of weights: one slice of the stream of all weights.
 * @property {string} url
 * @property {number} bytes
 * @property {string} sha256  hexadecimal
 * @property {Packed} [packed]  absent where the file is the slice itself
 */
/**
 * @typedef {Object} Packed  How a shard unpacks: in planes, the first byte of every value, then
 *   the second, and so on.
 * @property {number} bytes  of the unpacked shard
 * @property {1|2|4} planes  bytes of one value: 1 for int8, 2 for f16, 4 for f32
 * @property {number} raw  the first planes, so many, lie in the file as they are; the others are
 *   deflated (RFC 1950)
 */
/**
 * @typedef {Object} WeightTensor  A constant of the model and where its values lie.
 * @property {string} name
 * @property {number[]} shape
 * @property {"f32"|"f16"|"int8"|"int4"} encoding  int8 is symmetric per index of the last axis;
 *   int4 per `group` rows of a column (rows: all axes but the last), two values in a byte, the
 *   first in the low bits
 * @property {number} shard  the shard in which the values start; they may run on into the
 *   following shards
 * @property {number} offset  bytes from the start of the unpacked shard, a multiple of 16
 * @property {number} bytes  of the values
 * @property {Part} [scale]  int8: one f32 for each index of the last axis; int4: one f16 for each
 *   group and index of the last axis
 * @property {number} [group]  int4: rows that share a scale
 */
/**
 * @typedef {Object} Part  Where some bytes lie in the unpacked stream of weights.
 * @property {number} shard  the shard in which they start; they may run on into the following
 *   shards
 * @property {number} offset  bytes from the start of the unpacked shard, a multiple of 16
 * @property {number} bytes
 */
/**
 * @typedef {Object} Targets  The programs of the model, by target; one that cannot run it is
 *   absent.
 * @property {WebgpuTarget} [webgpu]
 * @property {WasmTarget} [wasm]
 * @property {JsTarget} [js]
 */
/**
 * @typedef {Object} WebgpuTarget  WebGPU.
 * @property {{[name: string]: FileEntry}} files  by the name of the build
 * @property {[string, number, number][]} steps  label, floating-point operations, and bytes that
 *   it reads and writes
 * @property {{[name: string]: Tolerance}} [checks]  of builds that are held to another tolerance
 *   than the golden's
 */
/**
 * @typedef {Object} FileEntry  One published file; its name carries a hash of its content.
 * @property {string} url
 * @property {number} bytes
 * @property {string} sha256  hexadecimal
 */
/**
 * @typedef {Object} Tolerance  How far a build's outputs may be from the golden ones.
 * @property {"peak"|"l2"} metric
 * @property {number} tolerance
 */
/**
 * @typedef {Object} WasmTarget  WebAssembly.
 * @property {{[name: string]: FileEntry}} files  by the name of the build
 * @property {number} elements  of the whole heap
 * @property {number} staging  the element from which on a constant may lie while it is being
 *   packed
 * @property {WeightPlace[]} weights
 * @property {Place[]} inputs  in the order of the model's inputs
 * @property {Place[]} outputs  in the order of the model's outputs
 * @property {[string, number, number][]} steps  label, floating-point operations, and bytes that
 *   it reads and writes
 * @property {number} pages  of 64 KiB: the memory of one thread
 * @property {number} bytes_per_thread  of memory beyond that for each of several threads
 * @property {number} threads  more do not pay
 * @property {number} [workers]  without a shared memory more do not pay; 1
 * @property {number} [most_workers]  for so many the file says what workers without a shared
 *   memory exchange; 1
 * @property {{[name: string]: Arithmetic}} [arithmetic]  by name: builds that multiply whole
 *   numbers; absent where there are none
 * @property {{[name: string]: number}} [work]  of the builds in f32: multiply-adds in "f32";
 *   absent where `arithmetic` is
 */
/**
 * @typedef {Object} WeightPlace  Where a constant lies in the heap.
 * @property {string} tensor  the name of the constant
 * @property {number} offset  f32 elements from the heap's start
 * @property {string} pack  the layout: "raw", or the name behind `pack_` of the function that
 *   writes it
 * @property {number[]} args  of that function
 */
/**
 * @typedef {Object} Place  Where an input or output lies in the heap.
 * @property {string} name
 * @property {number} offset  f32 elements from the heap's start
 * @property {number} length  f32 elements
 */
/**
 * @typedef {Object} Arithmetic  WebAssembly builds that multiply whole numbers. Their names begin
 *   with the name of the arithmetic, "int8-" or "int16-".
 * @property {number} elements  of the whole heap
 * @property {number} staging  the element from which on a constant may lie while it is being
 *   packed
 * @property {WeightPlace[]} weights
 * @property {Place[]} inputs  in the order of the model's inputs
 * @property {Place[]} outputs  in the order of the model's outputs
 * @property {[string, number, number][]} steps  label, floating-point operations, and bytes that
 *   it reads and writes
 * @property {number} pages  of 64 KiB: the memory of one thread
 * @property {number} bytes_per_thread  of memory beyond that for each of several threads
 * @property {number} threads  more do not pay
 * @property {number} [workers]  without a shared memory more do not pay; 1
 * @property {number} [most_workers]  for so many the file says what workers without a shared
 *   memory exchange; 1
 * @property {{[name: string]: number}} work  the time of all products: multiply-adds by the kind
 *   of their operands
 * @property {Golden} [golden]  the outputs that these builds gave
 */
/**
 * @typedef {Object} Golden  Random inputs, and the outputs that the published program gave for
 *   them at the build. Every device repeats the run and compares.
 * @property {number} seed  of xorshift32, which draws the inputs
 * @property {[number, number][]} ranges  for each input, its smallest and its largest value
 * @property {GoldenOutput[]} outputs  one for each output of the model
 * @property {"peak"|"l2"} metric  peak: the largest error over the output's peak; l2: the norm of
 *   the errors over the norm of the values
 * @property {number} tolerance
 */
/**
 * @typedef {Object} GoldenOutput  Some elements of an output for the golden inputs.
 * @property {number[]} indices  of the kept elements in the flat output, evenly spread
 * @property {number[]} values
 * @property {number} peak  the largest magnitude in the whole output
 */
/**
 * @typedef {Object} JsTarget  JavaScript.
 * @property {{[name: string]: FileEntry}} files  by the name of the build
 * @property {number} elements  of the whole heap
 * @property {number} staging  the element from which on a constant may lie while it is being
 *   packed
 * @property {WeightPlace[]} weights
 * @property {Place[]} inputs  in the order of the model's inputs
 * @property {Place[]} outputs  in the order of the model's outputs
 * @property {[string, number, number][]} steps  label, floating-point operations, and bytes that
 *   it reads and writes
 */
/**
 * @typedef {Object} F16  Whether f16 can hold every value that the model computes, and keeps the
 *   result where a GPU program in f16 was tried.
 * @property {boolean} holds
 * @property {string} layer  the step with the largest values
 * @property {number} peak  the largest magnitude there
 * @property {number} limit  what f16 can hold, with a factor of 2 to spare
 * @property {ProofRow} [proof]  of the GPU programs in f16; absent where none was tried
 */
/**
 * @typedef {Object} ProofRow  One build, measured at the build time of the pack over all inputs
 *   tried; the worst input counts. The figures compare with the graph in float64, the row of the
 *   graph itself with the manifest's yardstick. Rows of rounded weights and of quantized models are
 *   decided against the yardstick, all others against the graph in float64.
 * @property {string} target  "reference" for the graph in float64 itself
 * @property {string} build
 * @property {number} max_error_over_peak  the largest error, over the output's largest magnitude
 * @property {number} relative_l2  the norm of the errors, over the norm of the output
 * @property {number} cosine
 * @property {boolean|null} same_top1  whether every sample keeps its first class; null where the
 *   model names no classes
 * @property {number} psnr_db
 * @property {"cosine"|"psnr_db"|"iou"|"relative_l2"|"max_error_over_peak"|"excess"} judged  the
 *   figure that decides
 * @property {number} limit  of that figure
 * @property {boolean} holds
 * @property {number} [iou]  of a mask: intersection over union
 * @property {number} [excess]  the largest error of an element, over the limit of that element
 * @property {number[]} [outputs]  `max_error_over_peak` of each output, where the model has
 *   several
 */
/**
 * @typedef {Object} Note  A decision of the compiler.
 * @property {string} where  a layer, a target, a build, ...
 * @property {string} reason
 */
/**
 * @typedef {Object} Statistics  Sizes of the model.
 * @property {number} onnx_bytes  of the ONNX model, its weights included
 * @property {number} parameters
 * @property {number} flops  floating-point operations of one run
 * @property {{[name: string]: number}} operators  how many steps each operator has
 * @property {string} [graph]  the sha256 of the simplified graph as text, which `onnxpress
 *   explain` prints
 */
/**
 * @typedef {Object} Demo  What `<onnx-demo>` shows around the model.
 * @property {string} title
 * @property {ImageClassification|ImageToImage|Segmentation|Tensor} task  what the shown output
 *   means, and how it is read
 * @property {"click"|"lazy"|"eager"} [loading]  when the model is loaded; click
 * @property {PictureInput} [given]  the input that takes what a visitor hands over; absent where
 *   nothing is handed over
 * @property {string[]|string} [labels]  a list, or the URL of a text file with one label in a
 *   line
 * @property {Sample[]} [samples]  the poster shows the first one
 * @property {(Blend|Slider|Constant)[]} [controls]  every other input of the model
 * @property {"auto"|number} [threads]  of WebAssembly; "auto"
 * @property {string} [weightsNote]  shown in plain sight, such as "The weights are untrained:
 *   ..."
 */
/**
 * @typedef {Object} ImageClassification  Scores of classes.
 * @property {"image-classification"} name
 * @property {string} output  the output's name
 * @property {"logits"|"probabilities"|"classes"} kind  softmax is applied to logits
 * @property {number} top  how many classes are shown, the best first
 */
/**
 * @typedef {Object} ImageToImage  The picture that an output [1,C,H,W] or [1,H,W,C] holds.
 * @property {"image-to-image"} name
 * @property {string} output  the output's name
 * @property {"rgb"|"bgr"|"gray"} channels
 * @property {"nchw"|"nhwc"} layout
 * @property {[number, number]} range  the values of black and of white
 */
/**
 * @typedef {Object} Segmentation  A class for each pixel.
 * @property {"segmentation"} name
 * @property {string} output  the output's name
 * @property {"logits"|"probabilities"|"classes"} kind  "logits" and "probabilities" have an axis
 *   of classes, "classes" holds their indices
 * @property {"nchw"|"nhwc"} layout
 */
/**
 * @typedef {Object} Tensor  Numbers.
 * @property {"tensor"} name
 * @property {string} output  the output's name
 */
/**
 * @typedef {Object} PictureInput  From a picture to a tensor; see kinds/picture.js and
 *   kinds/picture/resample.js. Steps: orient by EXIF, put on white where transparent, resize, crop
 *   the centre, then (value * scale - mean) / std with value in 0..255, then reorder.
 * @property {"picture"} kind
 * @property {string} input  the port's name
 * @property {"cover"|"contain"|"stretch"|Shorter} resize  cover: fill and crop; contain: fit
 *   inside and pad; stretch: ignore proportions
 * @property {"bilinear"|"bicubic"} [filter]  bilinear; both antialias, as Pillow does
 * @property {"rgb"|"bgr"|"gray"} [channels]  rgb; gray is ITU-R 601 luma, as Pillow's "L"
 * @property {"nchw"|"nhwc"} layout
 * @property {number} [scale]  1/255
 * @property {number|number[]} [mean]  one for each channel, or a single number; 0
 * @property {number|number[]} [std]  one for each channel, or a single number; 1
 * @property {number} [pad]  the grey (0..255) around a "contain" picture; 0
 * @property {[number, number]} size  height and width of the tensor
 */
/**
 * @typedef {Object} Shorter  Resize so that the shorter side has that many pixels (the other side
 *   is rounded down), then crop the centre.
 * @property {number} shorter
 */
/**
 * @typedef {Object} Sample  A value that visitors may try.
 * @property {string} url
 * @property {string} title  also the text alternative of a picture
 * @property {string} licence
 * @property {string} [thumbnail]  the URL of a small square picture
 * @property {string} [author]
 * @property {string} [source]  the URL of the page that it comes from
 * @property {PictureFacts} [facts]  what its kind says of it
 * @property {ClassesResult|PairResult} [result]  what the model made of it at the build; shown
 *   while the model loads
 * @property {string} [card]  the URL of the picture on a gallery's card
 */
/**
 * @typedef {Object} PictureFacts  What a page knows of a sample before it has come.
 * @property {"picture"} kind
 * @property {[number, number]} size  width and height in pixels
 */
/**
 * @typedef {Object} ClassesResult  The classes that a sample most likely shows, best first.
 * @property {"classes"} kind
 * @property {TopClass[]} top
 */
/**
 * @typedef {Object} TopClass  A class and its score, 0..1.
 * @property {string} label
 * @property {number} score
 */
/**
 * @typedef {Object} PairResult  A picture before and after.
 * @property {"pair"} kind
 * @property {string} image  the URL of the result: a picture, or a mask to lay over one
 * @property {string} after  the URL of the picture to show: the result, or the sample under its
 *   mask
 * @property {string} before  the URL of the part of the sample that the model got
 * @property {[number, number]} size  width and height of both pictures
 */
/**
 * @typedef {Object} Blend  An input that holds one weight for each option; the weights add up to
 *   1.
 * @property {"blend"} kind
 * @property {string} input
 * @property {string} label
 * @property {BlendOption[]} options
 * @property {number} [initial]  index of the option chosen at first; 0
 */
/**
 * @typedef {Object} BlendOption  One of the choices of a blend.
 * @property {string} name
 * @property {string} [thumbnail]  the URL of a small picture: the sample with this option
 */
/**
 * @typedef {Object} Slider  An input that is filled with one number.
 * @property {"slider"} kind
 * @property {string} input
 * @property {string} label
 * @property {number} min
 * @property {number} max
 * @property {number} value
 * @property {number} [step]
 */
/**
 * @typedef {Object} Constant  An input that the visitor does not change.
 * @property {"constant"} kind
 * @property {string} input
 * @property {string} label
 * @property {number[]} values
 */
/**
 * @typedef {Object} OneFile  The demo as one HTML file: a list of texts and file entries, whose
 *   base64 stands between the texts; see page/save.js.
 * @property {string} url
 * @property {number} bytes
 * @property {string} sha256  hexadecimal
 * @property {number} total  bytes of the HTML file
 */
/** @typedef {WebgpuTarget|WasmTarget|JsTarget} Target */
/** @typedef {import("./api.d.ts").LoadOptions} LoadOptions */
/** @typedef {import("./api.d.ts").Progress} Progress */
/** @typedef {import("./api.d.ts").Timings} Timings */
/** @typedef {import("./api.d.ts").Check} Check */
/** @typedef {import("./api.d.ts").Model} Model */
export {};
