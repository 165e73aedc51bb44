/** The published types fit onnxpress.js itself; plugin/jsconfig.json includes this file. */
import * as made from "../../../plugin/onnxpress/runtime/onnxpress.js";
import type * as api from "../../../plugin/onnxpress/runtime/api.d.ts";

export const published: typeof api = made;
