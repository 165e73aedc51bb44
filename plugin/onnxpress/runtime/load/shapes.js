// The shapes of a manifest, for check.js.
// Made by `python -m onnxpress.manifest`.
/** @type {Object<string, Object<string, import("./check.js").Shape>>} */
export const SHAPES = {
  Manifest: {
    name: "text", onnxpress: ["word", 1], inputs: ["list", "Port"], outputs: ["list", "Port"],
    weights: "Weights", targets: "Targets", "f16?": "F16", golden: "Golden",
    proof: ["list", "ProofRow"], "yardstick?": ["word", "onnxruntime", "onnx.reference", "graph"],
    notes: ["list", "Note"], "statistics?": "Statistics", "demo?": "Demo", "oneFile?": "OneFile",
  },
  Port: {
    name: "text", shape: ["list", "count"],
    dtype: ["word", "f32", "f64", "f16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"],
  },
  Weights: {
    "encoding?": ["word", "f32", "f16", "int8", "int4"], "tried?": ["list", "Tried"],
    bytes: "count", shards: ["list", "Shard"], tensors: ["list", "WeightTensor"],
  },
  Tried: {
    encoding: ["word", "f32", "f16", "int8", "int4"], bytes: "count", holds: "flag",
    judged: ["word", "cosine", "psnr_db", "iou", "relative_l2", "max_error_over_peak", "excess"],
    value: "number", limit: "number", same_top1: ["either", "flag", "nothing"], reason: "text",
  },
  Shard: { url: "text", bytes: "count", sha256: "text", "packed?": "Packed" },
  Packed: { bytes: "count", planes: ["word", 1, 2, 4], raw: "count" },
  WeightTensor: {
    name: "text", shape: ["list", "count"], encoding: ["word", "f32", "f16", "int8", "int4"],
    shard: "count", offset: "count", bytes: "count", "scale?": "Part", "group?": "count",
  },
  Part: { shard: "count", offset: "count", bytes: "count" },
  Targets: { "webgpu?": "WebgpuTarget", "wasm?": "WasmTarget", "js?": "JsTarget" },
  WebgpuTarget: {
    files: ["table", "FileEntry"], steps: ["list", ["tuple", "text", "count", "count"]],
    "checks?": ["table", "Tolerance"],
  },
  FileEntry: { url: "text", bytes: "count", sha256: "text" },
  Tolerance: { metric: ["word", "peak", "l2"], tolerance: "number" },
  WasmTarget: {
    files: ["table", "FileEntry"], elements: "count", staging: "count",
    weights: ["list", "WeightPlace"], inputs: ["list", "Place"], outputs: ["list", "Place"],
    steps: ["list", ["tuple", "text", "count", "count"]], pages: "count", bytes_per_thread: "count",
    threads: "count", "workers?": "count", "most_workers?": "count",
    "arithmetic?": ["table", "Arithmetic"], "work?": ["table", "number"],
  },
  WeightPlace: { tensor: "text", offset: "count", pack: "text", args: ["list", "count"] },
  Place: { name: "text", offset: "count", length: "count" },
  Arithmetic: {
    elements: "count", staging: "count", weights: ["list", "WeightPlace"],
    inputs: ["list", "Place"], outputs: ["list", "Place"],
    steps: ["list", ["tuple", "text", "count", "count"]], pages: "count", bytes_per_thread: "count",
    threads: "count", "workers?": "count", "most_workers?": "count", work: ["table", "number"],
    "golden?": "Golden",
  },
  Golden: {
    seed: "count", ranges: ["list", ["tuple", "number", "number"]],
    outputs: ["list", "GoldenOutput"], metric: ["word", "peak", "l2"], tolerance: "number",
  },
  GoldenOutput: { indices: ["list", "count"], values: ["list", "number"], peak: "number" },
  JsTarget: {
    files: ["table", "FileEntry"], elements: "count", staging: "count",
    weights: ["list", "WeightPlace"], inputs: ["list", "Place"], outputs: ["list", "Place"],
    steps: ["list", ["tuple", "text", "count", "count"]],
  },
  F16: { holds: "flag", layer: "text", peak: "number", limit: "number", "proof?": "ProofRow" },
  ProofRow: {
    target: "text", build: "text", max_error_over_peak: "number", relative_l2: "number",
    cosine: "number", same_top1: ["either", "flag", "nothing"], psnr_db: "number",
    judged: ["word", "cosine", "psnr_db", "iou", "relative_l2", "max_error_over_peak", "excess"],
    limit: "number", holds: "flag", "iou?": "number", "excess?": "number",
    "outputs?": ["list", "number"],
  },
  Note: { where: "text", reason: "text" },
  Statistics: {
    onnx_bytes: "count", parameters: "count", flops: "count", operators: ["table", "count"],
    "graph?": "text",
  },
  Demo: {
    title: "text",
    task: ["tagged", "name", {"image-classification": "ImageClassification", "image-to-image": "ImageToImage", "segmentation": "Segmentation", "tensor": "Tensor"}],
    "loading?": ["word", "click", "lazy", "eager"], "given?": "PictureInput",
    "labels?": ["either", ["list", "text"], "text"], "samples?": ["list", "Sample"],
    "controls?": ["list", ["tagged", "kind", {"blend": "Blend", "slider": "Slider", "constant": "Constant"}]],
    "threads?": ["either", ["word", "auto"], "count"], "weightsNote?": "text",
  },
  ImageClassification: {
    name: ["word", "image-classification"], output: "text",
    kind: ["word", "logits", "probabilities", "classes"], top: "count",
  },
  ImageToImage: {
    name: ["word", "image-to-image"], output: "text", channels: ["word", "rgb", "bgr", "gray"],
    layout: ["word", "nchw", "nhwc"], range: ["tuple", "number", "number"],
  },
  Segmentation: {
    name: ["word", "segmentation"], output: "text",
    kind: ["word", "logits", "probabilities", "classes"], layout: ["word", "nchw", "nhwc"],
  },
  Tensor: { name: ["word", "tensor"], output: "text" },
  PictureInput: {
    kind: ["word", "picture"], input: "text",
    resize: ["either", ["word", "cover", "contain", "stretch"], "Shorter"],
    "filter?": ["word", "bilinear", "bicubic"], "channels?": ["word", "rgb", "bgr", "gray"],
    layout: ["word", "nchw", "nhwc"], "scale?": "number",
    "mean?": ["either", "number", ["list", "number"]],
    "std?": ["either", "number", ["list", "number"]], "pad?": "number",
    size: ["tuple", "count", "count"],
  },
  Shorter: { shorter: "count" },
  Sample: {
    url: "text", title: "text", licence: "text", "thumbnail?": "text", "author?": "text",
    "source?": "text", "facts?": "PictureFacts",
    "result?": ["tagged", "kind", {"classes": "ClassesResult", "pair": "PairResult"}],
    "card?": "text",
  },
  PictureFacts: { kind: ["word", "picture"], size: ["tuple", "count", "count"] },
  ClassesResult: { kind: ["word", "classes"], top: ["list", "TopClass"] },
  TopClass: { label: "text", score: "number" },
  PairResult: {
    kind: ["word", "pair"], image: "text", after: "text", before: "text",
    size: ["tuple", "count", "count"],
  },
  Blend: {
    kind: ["word", "blend"], input: "text", label: "text", options: ["list", "BlendOption"],
    "initial?": "count",
  },
  BlendOption: { name: "text", "thumbnail?": "text" },
  Slider: {
    kind: ["word", "slider"], input: "text", label: "text", min: "number", max: "number",
    value: "number", "step?": "number",
  },
  Constant: {
    kind: ["word", "constant"], input: "text", label: "text", values: ["list", "number"],
  },
  OneFile: { url: "text", bytes: "count", sha256: "text", total: "count" },
};
