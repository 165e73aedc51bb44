/**
 * Which build of whole numbers is faster here than the build in f32, by a test run of about a
 * millisecond. A browser that knows an instruction says nothing of its speed: where the processor
 * lacks it, three or more others take its place.
 */
import { embedded, instantiate, memoryOf } from "../../load/instance.js";

// Tiles of products, exported by kind of operand. `python -m onnxpress.emit.wasm.probe` writes
// them.
const MODULES = {
  relaxed:
    "AGFzbQEAAAABJQRgAX8AYA9/f39/f39/f39/f39/f38AYAR/f39/AX9gA39/fwACGgIABm1lbW9yeQIBAYCABAAH" +
    "YmFycmllcgAAAwgHAQIDAQMBAwcSAwNmMzIAAwJ1OAAFA2kxNgAHCp0gB/EIAw9/D3sBfwNAIAAhECABIRYgA0EB" +
    "ayIDQQBKBEAgACAFaiEAIAEgB2ohASACQQFqIgIgBEYEQCAAIAZqIQAgASAIaiEBQQAhAgsLIAAhESABIRcgA0EB" +
    "ayIDQQBKBEAgACAFaiEAIAEgB2ohASACQQFqIgIgBEYEQCAAIAZqIQAgASAIaiEBQQAhAgsLIAAhEiABIRggA0EB" +
    "ayIDQQBKBEAgACAFaiEAIAEgB2ohASACQQFqIgIgBEYEQCAAIAZqIQAgASAIaiEBQQAhAgsLIAAhEyABIRkgA0EB" +
    "ayIDQQBKBEAgACAFaiEAIAEgB2ohASACQQFqIgIgBEYEQCAAIAZqIQAgASAIaiEBQQAhAgsLIAAhFCABIRogA0EB" +
    "ayIDQQBKBEAgACAFaiEAIAEgB2ohASACQQFqIgIgBEYEQCAAIAZqIQAgASAIaiEBQQAhAgsLIAAhFSABIRsgA0EB" +
    "ayIDQQBKBEAgACAFaiEAIAEgB2ohASACQQFqIgIgBEYEQCAAIAZqIQAgASAIaiEBQQAhAgsLQQAhHCALIR0DQCAO" +
    "IBxq/QAAACEeIA4gHGr9AAAQIR8gHiEgIB8hISAeISIgHyEjIB4hJCAfISUgHiEmIB8hJyAeISggHyEpIAkhLQNA" +
    "IB39AAAAISogHf0AABAhKyAQ/QkAACEsICwgKiAe/YUCIR4gLCArIB/9hQIhHyAR/QkAACEsICwgKiAg/YUCISAg" +
    "LCArICH9hQIhISAS/QkAACEsICwgKiAi/YUCISIgLCArICP9hQIhIyAT/QkAACEsICwgKiAk/YUCISQgLCArICX9" +
    "hQIhJSAU/QkAACEsICwgKiAm/YUCISYgLCArICf9hQIhJyAV/QkAACEsICwgKiAo/YUCISggLCArICn9hQIhKSAd" +
    "/QAAICEqIB39AAAwISsgEP0JAAQhLCAsICogHv2FAiEeICwgKyAf/YUCIR8gEf0JAAQhLCAsICogIP2FAiEgICwg" +
    "KyAh/YUCISEgEv0JAAQhLCAsICogIv2FAiEiICwgKyAj/YUCISMgE/0JAAQhLCAsICogJP2FAiEkICwgKyAl/YUC" +
    "ISUgFP0JAAQhLCAsICogJv2FAiEmICwgKyAn/YUCIScgFf0JAAQhLCAsICogKP2FAiEoICwgKyAp/YUCISkgHUHA" +
    "AGohHSAQQQhqIRAgEUEIaiERIBJBCGohEiATQQhqIRMgFEEIaiEUIBVBCGohFSAtQX9qIi0NAAsgFiAcaiEPIA8g" +
    "Hv0LAAAgDyAf/QsAECAQIAprIRAgFyAcaiEPIA8gIP0LAAAgDyAh/QsAECARIAprIREgGCAcaiEPIA8gIv0LAAAg" +
    "DyAj/QsAECASIAprIRIgGSAcaiEPIA8gJP0LAAAgDyAl/QsAECATIAprIRMgGiAcaiEPIA8gJv0LAAAgDyAn/QsA" +
    "ECAUIAprIRQgGyAcaiEPIA8gKP0LAAAgDyAp/QsAECAVIAprIRUgHEEgaiIcIA1JDQALIANBAEoNAAsLIAAgACAB" +
    "akEBayABbiACbCADbiABbCIBIAAgASAASRsLbQECf0HgAEEGIABBAGogARACIQNB4ABBBiAAQQFqIAEQAiEEIAQg" +
    "A2siBARAQQAgA0H4AmxqQcC4AiADQSBsakEAIANqQQAgBGpB4ABB+AJBgOZ9QSBBgGhBL0H4AkGA9wJBAEEgQcC1" +
    "AxABCwv5CQUCfwF7Dn8PewF/A0AgACESIAEhGCADQQFrIgNBAEoEQCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRA" +
    "IAAgBmohACABIAhqIQFBACECCwsgACETIAEhGSADQQFrIgNBAEoEQCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRA" +
    "IAAgBmohACABIAhqIQFBACECCwsgACEUIAEhGiADQQFrIgNBAEoEQCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRA" +
    "IAAgBmohACABIAhqIQFBACECCwsgACEVIAEhGyADQQFrIgNBAEoEQCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRA" +
    "IAAgBmohACABIAhqIQFBACECCwsgACEWIAEhHCADQQFrIgNBAEoEQCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRA" +
    "IAAgBmohACABIAhqIQFBACECCwsgACEXIAEhHSADQQFrIgNBAEoEQCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRA" +
    "IAAgBmohACABIAhqIQFBACECCwtBACEeIAshHwNAIA4gHmr9AAAAISAgDiAeav0AABAhISAgISIgISEjICAhJCAh" +
    "ISUgICEmICEhJyAgISggISEpICAhKiAhISsgCSEvA0AgH/0AAAAhLCAf/QAAECEtIBL9CQAAIS4gLCAuICD9kwIh" +
    "ICAtIC4gIf2TAiEhIBP9CQAAIS4gLCAuICL9kwIhIiAtIC4gI/2TAiEjIBT9CQAAIS4gLCAuICT9kwIhJCAtIC4g" +
    "Jf2TAiElIBX9CQAAIS4gLCAuICb9kwIhJiAtIC4gJ/2TAiEnIBb9CQAAIS4gLCAuICj9kwIhKCAtIC4gKf2TAiEp" +
    "IBf9CQAAIS4gLCAuICr9kwIhKiAtIC4gK/2TAiErIB/9AAAgISwgH/0AADAhLSAS/QkABCEuICwgLiAg/ZMCISAg" +
    "LSAuICH9kwIhISAT/QkABCEuICwgLiAi/ZMCISIgLSAuICP9kwIhIyAU/QkABCEuICwgLiAk/ZMCISQgLSAuICX9" +
    "kwIhJSAV/QkABCEuICwgLiAm/ZMCISYgLSAuICf9kwIhJyAW/QkABCEuICwgLiAo/ZMCISggLSAuICn9kwIhKSAX" +
    "/QkABCEuICwgLiAq/ZMCISogLSAuICv9kwIhKyAfQcAAaiEfIBJBCGohEiATQQhqIRMgFEEIaiEUIBVBCGohFSAW" +
    "QQhqIRYgF0EIaiEXIC9Bf2oiLw0ACyAYIB5qIQ8gIP36ASEgICAhICAh/foBISEgISEhIA8gIP0LAAAgDyAh/QsA" +
    "ECASIAprIRIgGSAeaiEPICL9+gEhIiAiISIgI/36ASEjICMhIyAPICL9CwAAIA8gI/0LABAgEyAKayETIBogHmoh" +
    "DyAk/foBISQgJCEkICX9+gEhJSAlISUgDyAk/QsAACAPICX9CwAQIBQgCmshFCAbIB5qIQ8gJv36ASEmICYhJiAn" +
    "/foBIScgJyEnIA8gJv0LAAAgDyAn/QsAECAVIAprIRUgHCAeaiEPICj9+gEhKCAoISggKf36ASEpICkhKSAPICj9" +
    "CwAAIA8gKf0LABAgFiAKayEWIB0gHmohDyAq/foBISogKiEqICv9+gEhKyArISsgDyAq/QsAACAPICv9CwAQIBcg" +
    "CmshFyAeQSBqIh4gDUkNAAsgA0EASg0ACwttAQJ/QeAAQQYgAEEAaiABEAIhA0HgAEEGIABBAWogARACIQQgBCAD" +
    "ayIEBEBBACADQfgCbGpBwLgCIANBIGxqQQAgA2pBACAEakHgAEH4AkGA5n1BIEGAaEEvQfgCQYD3AkEAQSBBwLUD" +
    "EAQLC8EKBQJ/AXsOfw97AX8DQCAAIRIgASEYIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEgAkEBaiICIARGBEAg" +
    "ACAGaiEAIAEgCGohAUEAIQILCyAAIRMgASEZIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEgAkEBaiICIARGBEAg" +
    "ACAGaiEAIAEgCGohAUEAIQILCyAAIRQgASEaIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEgAkEBaiICIARGBEAg" +
    "ACAGaiEAIAEgCGohAUEAIQILCyAAIRUgASEbIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEgAkEBaiICIARGBEAg" +
    "ACAGaiEAIAEgCGohAUEAIQILCyAAIRYgASEcIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEgAkEBaiICIARGBEAg" +
    "ACAGaiEAIAEgCGohAUEAIQILCyAAIRcgASEdIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEgAkEBaiICIARGBEAg" +
    "ACAGaiEAIAEgCGohAUEAIQILC0EAIR4gCyEfA0AgDiAeav0AAAAhICAOIB5q/QAAECEhICAhIiAhISMgICEkICEh" +
    "JSAgISYgISEnICAhKCAhISkgICEqICEhKyAJIS8DQCAf/QAAACEsIB/9AAAQIS0gEv0JAAAhLiAgICwgLv26Af2u" +
    "ASEgICEgLSAu/boB/a4BISEgE/0JAAAhLiAiICwgLv26Af2uASEiICMgLSAu/boB/a4BISMgFP0JAAAhLiAkICwg" +
    "Lv26Af2uASEkICUgLSAu/boB/a4BISUgFf0JAAAhLiAmICwgLv26Af2uASEmICcgLSAu/boB/a4BIScgFv0JAAAh" +
    "LiAoICwgLv26Af2uASEoICkgLSAu/boB/a4BISkgF/0JAAAhLiAqICwgLv26Af2uASEqICsgLSAu/boB/a4BISsg" +
    "H/0AACAhLCAf/QAAMCEtIBL9CQAEIS4gICAsIC79ugH9rgEhICAhIC0gLv26Af2uASEhIBP9CQAEIS4gIiAsIC79" +
    "ugH9rgEhIiAjIC0gLv26Af2uASEjIBT9CQAEIS4gJCAsIC79ugH9rgEhJCAlIC0gLv26Af2uASElIBX9CQAEIS4g" +
    "JiAsIC79ugH9rgEhJiAnIC0gLv26Af2uASEnIBb9CQAEIS4gKCAsIC79ugH9rgEhKCApIC0gLv26Af2uASEpIBf9" +
    "CQAEIS4gKiAsIC79ugH9rgEhKiArIC0gLv26Af2uASErIB9BwABqIR8gEkEIaiESIBNBCGohEyAUQQhqIRQgFUEI" +
    "aiEVIBZBCGohFiAXQQhqIRcgL0F/aiIvDQALIBggHmohDyAg/foBISAgICEgICH9+gEhISAhISEgDyAg/QsAACAP" +
    "ICH9CwAQIBIgCmshEiAZIB5qIQ8gIv36ASEiICIhIiAj/foBISMgIyEjIA8gIv0LAAAgDyAj/QsAECATIAprIRMg" +
    "GiAeaiEPICT9+gEhJCAkISQgJf36ASElICUhJSAPICT9CwAAIA8gJf0LABAgFCAKayEUIBsgHmohDyAm/foBISYg" +
    "JiEmICf9+gEhJyAnIScgDyAm/QsAACAPICf9CwAQIBUgCmshFSAcIB5qIQ8gKP36ASEoICghKCAp/foBISkgKSEp" +
    "IA8gKP0LAAAgDyAp/QsAECAWIAprIRYgHSAeaiEPICr9+gEhKiAqISogK/36ASErICshKyAPICr9CwAAIA8gK/0L" +
    "ABAgFyAKayEXIB5BIGoiHiANSQ0ACyADQQBKDQALC20BAn9B4ABBBiAAQQBqIAEQAiEDQeAAQQYgAEEBaiABEAIh" +
    "BCAEIANrIgQEQEEAIANB+AJsakHAuAIgA0EgbGpBACADakEAIARqQeAAQfgCQYDmfUEgQYBoQS9B+AJBgPcCQQBB" +
    "IEHAtQMQBgsL",
  simd128:
    "AGFzbQEAAAABJQRgAX8AYA9/f39/f39/f39/f39/f38AYAR/f39/AX9gA39/fwACGgIABm1lbW9yeQIBAYCABAAH" +
    "YmFycmllcgAAAwYFAQIDAQMHDQIDZjMyAAMDaTE2AAUKlBYFxQkDD38PewF/A0AgACEQIAEhFiADQQFrIgNBAEoE" +
    "QCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRAIAAgBmohACABIAhqIQFBACECCwsgACERIAEhFyADQQFrIgNBAEoE" +
    "QCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRAIAAgBmohACABIAhqIQFBACECCwsgACESIAEhGCADQQFrIgNBAEoE" +
    "QCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRAIAAgBmohACABIAhqIQFBACECCwsgACETIAEhGSADQQFrIgNBAEoE" +
    "QCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRAIAAgBmohACABIAhqIQFBACECCwsgACEUIAEhGiADQQFrIgNBAEoE" +
    "QCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRAIAAgBmohACABIAhqIQFBACECCwsgACEVIAEhGyADQQFrIgNBAEoE" +
    "QCAAIAVqIQAgASAHaiEBIAJBAWoiAiAERgRAIAAgBmohACABIAhqIQFBACECCwtBACEcIAshHQNAIA4gHGr9AAAA" +
    "IR4gDiAcav0AABAhHyAeISAgHyEhIB4hIiAfISMgHiEkIB8hJSAeISYgHyEnIB4hKCAfISkgCSEtA0AgHf0AAAAh" +
    "KiAd/QAAECErIBAqAgD9EyEsIB4gLCAq/eYB/eQBIR4gHyAsICv95gH95AEhHyARKgIA/RMhLCAgICwgKv3mAf3k" +
    "ASEgICEgLCAr/eYB/eQBISEgEioCAP0TISwgIiAsICr95gH95AEhIiAjICwgK/3mAf3kASEjIBMqAgD9EyEsICQg" +
    "LCAq/eYB/eQBISQgJSAsICv95gH95AEhJSAUKgIA/RMhLCAmICwgKv3mAf3kASEmICcgLCAr/eYB/eQBIScgFSoC" +
    "AP0TISwgKCAsICr95gH95AEhKCApICwgK/3mAf3kASEpIB39AAAgISogHf0AADAhKyAQKgIE/RMhLCAeICwgKv3m" +
    "Af3kASEeIB8gLCAr/eYB/eQBIR8gESoCBP0TISwgICAsICr95gH95AEhICAhICwgK/3mAf3kASEhIBIqAgT9EyEs" +
    "ICIgLCAq/eYB/eQBISIgIyAsICv95gH95AEhIyATKgIE/RMhLCAkICwgKv3mAf3kASEkICUgLCAr/eYB/eQBISUg" +
    "FCoCBP0TISwgJiAsICr95gH95AEhJiAnICwgK/3mAf3kASEnIBUqAgT9EyEsICggLCAq/eYB/eQBISggKSAsICv9" +
    "5gH95AEhKSAdQcAAaiEdIBBBCGohECARQQhqIREgEkEIaiESIBNBCGohEyAUQQhqIRQgFUEIaiEVIC1Bf2oiLQ0A" +
    "CyAWIBxqIQ8gDyAe/QsAACAPIB/9CwAQIBAgCmshECAXIBxqIQ8gDyAg/QsAACAPICH9CwAQIBEgCmshESAYIBxq" +
    "IQ8gDyAi/QsAACAPICP9CwAQIBIgCmshEiAZIBxqIQ8gDyAk/QsAACAPICX9CwAQIBMgCmshEyAaIBxqIQ8gDyAm" +
    "/QsAACAPICf9CwAQIBQgCmshFCAbIBxqIQ8gDyAo/QsAACAPICn9CwAQIBUgCmshFSAcQSBqIhwgDUkNAAsgA0EA" +
    "Sg0ACwsgACAAIAFqQQFrIAFuIAJsIANuIAFsIgEgACABIABJGwttAQJ/QeAAQQYgAEEAaiABEAIhA0HgAEEGIABB" +
    "AWogARACIQQgBCADayIEBEBBACADQfgCbGpBwLgCIANBIGxqQQAgA2pBACAEakHgAEH4AkGA5n1BIEGAaEEvQfgC" +
    "QYD3AkEAQSBBwLUDEAELC80KBQJ/AXsOfw97AX8DQCAAIRIgASEYIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEg" +
    "AkEBaiICIARGBEAgACAGaiEAIAEgCGohAUEAIQILCyAAIRMgASEZIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEg" +
    "AkEBaiICIARGBEAgACAGaiEAIAEgCGohAUEAIQILCyAAIRQgASEaIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEg" +
    "AkEBaiICIARGBEAgACAGaiEAIAEgCGohAUEAIQILCyAAIRUgASEbIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEg" +
    "AkEBaiICIARGBEAgACAGaiEAIAEgCGohAUEAIQILCyAAIRYgASEcIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEg" +
    "AkEBaiICIARGBEAgACAGaiEAIAEgCGohAUEAIQILCyAAIRcgASEdIANBAWsiA0EASgRAIAAgBWohACABIAdqIQEg" +
    "AkEBaiICIARGBEAgACAGaiEAIAEgCGohAUEAIQILC0EAIR4gCyEfA0AgDiAeav0AAAAhICAOIB5q/QAAECEhICAh" +
    "IiAhISMgICEkICEhJSAgISYgISEnICAhKCAhISkgICEqICEhKyAJIS8DQCAf/QAAACEsIB/9AAAQIS0gEioCAP0T" +
    "IS4gICAsIC79ugH9rgEhICAhIC0gLv26Af2uASEhIBMqAgD9EyEuICIgLCAu/boB/a4BISIgIyAtIC79ugH9rgEh" +
    "IyAUKgIA/RMhLiAkICwgLv26Af2uASEkICUgLSAu/boB/a4BISUgFSoCAP0TIS4gJiAsIC79ugH9rgEhJiAnIC0g" +
    "Lv26Af2uASEnIBYqAgD9EyEuICggLCAu/boB/a4BISggKSAtIC79ugH9rgEhKSAXKgIA/RMhLiAqICwgLv26Af2u" +
    "ASEqICsgLSAu/boB/a4BISsgH/0AACAhLCAf/QAAMCEtIBIqAgT9EyEuICAgLCAu/boB/a4BISAgISAtIC79ugH9" +
    "rgEhISATKgIE/RMhLiAiICwgLv26Af2uASEiICMgLSAu/boB/a4BISMgFCoCBP0TIS4gJCAsIC79ugH9rgEhJCAl" +
    "IC0gLv26Af2uASElIBUqAgT9EyEuICYgLCAu/boB/a4BISYgJyAtIC79ugH9rgEhJyAWKgIE/RMhLiAoICwgLv26" +
    "Af2uASEoICkgLSAu/boB/a4BISkgFyoCBP0TIS4gKiAsIC79ugH9rgEhKiArIC0gLv26Af2uASErIB9BwABqIR8g" +
    "EkEIaiESIBNBCGohEyAUQQhqIRQgFUEIaiEVIBZBCGohFiAXQQhqIRcgL0F/aiIvDQALIBggHmohDyAg/foBISAg" +
    "ICEgICH9+gEhISAhISEgDyAg/QsAACAPICH9CwAQIBIgCmshEiAZIB5qIQ8gIv36ASEiICIhIiAj/foBISMgIyEj" +
    "IA8gIv0LAAAgDyAj/QsAECATIAprIRMgGiAeaiEPICT9+gEhJCAkISQgJf36ASElICUhJSAPICT9CwAAIA8gJf0L" +
    "ABAgFCAKayEUIBsgHmohDyAm/foBISYgJiEmICf9+gEhJyAnIScgDyAm/QsAACAPICf9CwAQIBUgCmshFSAcIB5q" +
    "IQ8gKP36ASEoICghKCAp/foBISkgKSEpIA8gKP0LAAAgDyAp/QsAECAWIAprIRYgHSAeaiEPICr9+gEhKiAqISog" +
    "K/36ASErICshKyAPICr9CwAAIA8gK/0LABAgFyAKayEXIB5BIGoiHiANSQ0ACyADQQBKDQALC20BAn9B4ABBBiAA" +
    "QQBqIAEQAiEDQeAAQQYgAEEBaiABEAIhBCAEIANrIgQEQEEAIANB+AJsakHAuAIgA0EgbGpBACADakEAIARqQeAA" +
    "QfgCQYDmfUEgQYBoQS9B+AJBgPcCQQBBIEHAtQMQBAsL",
};
const STEPS = 96 * 8 * 94; // of a tile: each does one multiply-add for every element of its operand
const WIDTH = { f32: 1, i16: 2, u8: 4 }; // elements of an operand
const ROUNDS = { least: 4, most: 12 }; // until the engine's optimizer brings nothing more
const FASTER = 1.15; // times the best rate so far: then another round may bring more
const PAUSE = 4; // ms for the optimizer between rounds
const MOST = 2000; // calls: a clock that stands still during all of them tells nothing
const WINDOW = 0.4; // ms, or a tick of the browser's clock if that is longer
const GAIN = 0.9; // of the time in f32: a smaller gain is not worth the coarser numbers

/**
 * @typedef {keyof typeof MODULES} ISA  a set of instructions
 * @typedef {keyof typeof WIDTH} Operand  the kind of operand of a product
 * @typedef {Object<string, number>} Work  kind of operand -> multiply-adds of one run
 */

/** @type {Operand[]} */
const KINDS = ["f32", "i16", "u8"];

/**
 * @param {{files: Object<string, unknown>, work: Work, arithmetic: Object<string, {work: Work}>}}
 *   target  `work`: in f32
 * @param {ISA} isa  the instruction set that f32 runs with
 * @returns {Promise<{build: string, speed: number} | null>} `speed`: as a multiple of f32's
 */
export async function fastestBuild({ files, work, arithmetic }, isa) {
  const rates = await measure(isa);
  if (!rates) return null;
  /** @param {Work} amounts @returns {number} ms */
  const time = (amounts) =>
    Object.entries(amounts).reduce((sum, [kind, count]) => sum + count / rates[kind], 0);
  const found = Object.entries(arithmetic)
    .map(([name, own]) => ({ build: `${name}-${isa}`, speed: time(work) / time(own.work) }))
    .filter(({ build, speed }) => build in files && speed * GAIN > 1)
    .sort((a, b) => b.speed - a.speed);
  return found[0] ?? null;
}

/**
 * @param {ISA} isa
 * @returns {Promise<Object<string, number> | null>} kind of operand -> multiply-adds per
 *   millisecond; null where the clock does not tell
 */
async function measure(isa) {
  const module = await WebAssembly.compile(embedded(MODULES[isa]));
  const exports = await instantiate(module, memoryOf(1));
  const kinds = KINDS.filter((name) => name in exports);
  const rates = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  for (let round = 1, better = true; round <= ROUNDS.least || better; round++) {
    better = false;
    for (const kind of kinds) {
      const rate = callsPerMs(() => exports[kind](0, 1, 0)) * STEPS * WIDTH[kind];
      if (!rate) return null;
      if (rate > rates[kind] * FASTER) better = round < ROUNDS.most;
      rates[kind] = Math.max(rates[kind], rate);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  return rates;
}

/**
 * Counts calls from one tick of the clock to another: in browsers it jumps by a tenth of a
 * millisecond or a whole one.
 * @param {() => void} run
 * @returns {number} 0 where the clock does not tick
 */
function callsPerMs(run) {
  const before = performance.now();
  let started = before, calls = 0;
  for (; started === before && calls < MOST; calls++) {
    run();
    started = performance.now();
  }
  let now = started;
  for (calls = 0; now - started < WINDOW && calls < MOST; calls++) {
    run();
    now = performance.now();
  }
  return now > started ? calls / (now - started) : 0;
}
