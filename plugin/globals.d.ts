/** Names that browsers have and TypeScript's own list of them lacks. */

/** A page of `onnxpress export` sets it; see onnxpress/runtime/load/carried.js. */
declare var onnxpressCarried: import("./onnxpress/runtime/load/carried.js").Carried | undefined;

/** https://www.w3.org/TR/webgpu/#namespacedef-gpubufferusage */
declare namespace GPUBufferUsage {
  const MAP_READ: number;
  const MAP_WRITE: number;
  const COPY_SRC: number;
  const COPY_DST: number;
  const INDEX: number;
  const VERTEX: number;
  const UNIFORM: number;
  const STORAGE: number;
  const INDIRECT: number;
  const QUERY_RESOLVE: number;
}

/** https://www.w3.org/TR/webgpu/#namespacedef-gputextureusage */
declare namespace GPUTextureUsage {
  const COPY_SRC: number;
  const COPY_DST: number;
  const TEXTURE_BINDING: number;
  const STORAGE_BINDING: number;
  const RENDER_ATTACHMENT: number;
}

/** https://www.w3.org/TR/webgpu/#namespacedef-gpumapmode */
declare namespace GPUMapMode {
  const READ: number;
  const WRITE: number;
}

/** https://www.w3.org/TR/webgpu/#namespacedef-gpushaderstage */
declare namespace GPUShaderStage {
  const VERTEX: number;
  const FRAGMENT: number;
  const COMPUTE: number;
}

interface Navigator {
  /** Chromium only. */
  readonly userAgentData?: object;
}

interface GPUAdapter {
  /** Where browsers had it before GPUAdapterInfo. */
  readonly isFallbackAdapter?: boolean;
}

interface HTMLCanvasElement {
  getContext(contextId: "webgpu"): GPUCanvasContext | null;
}

interface OffscreenCanvas {
  getContext(contextId: "webgpu"): GPUCanvasContext | null;
}
