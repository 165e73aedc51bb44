/** WGSL between a frame's texture, the model's tensors and a canvas. */

/**
 * The window of resample.js and the numbers of tensor.js in one pass, without rounding to bytes
 * between columns and rows.
 */
export const TO_TENSOR = `
struct Plan {
  source: vec2f,            // pixels of the frame
  scaled: vec2f,            // after resizing
  corner: vec2f,            // of the tensor in the scaled picture
  size: vec2u,              // of the tensor
  steps: vec2u,             // from a pixel to the next, from a channel to the next
  channels: u32,
  support: f32,             // of the filter: 1 is bilinear, 2 bicubic
  rows: array<vec4f, 3>,    // each channel from red, green, blue and 1
  pad: vec4f,
}
@group(0) @binding(0) var<uniform> plan: Plan;
@group(0) @binding(1) var frame: texture_2d<f32>;
@group(0) @binding(2) var<storage, read_write> tensor: array<f32>;

fn weight(x: f32) -> f32 {
  let t = abs(x);
  if (plan.support == 1) { return max(0, 1 - t); }
  if (t < 1) { return (1.5 * t - 2.5) * t * t + 1; }
  return select(0, -0.5 * (((t - 5) * t + 8) * t - 4), t < 2);
}

fn resized(at: vec2f) -> vec3f {
  let scale = plan.source / plan.scaled;
  let stretch = max(scale, vec2f(1));
  let middle = (at + 0.5) * scale;
  let first = vec2i(max(vec2f(0), trunc(middle - plan.support * stretch + 0.5)));
  let end = vec2i(min(plan.source, trunc(middle + plan.support * stretch + 0.5)));
  var sum = vec4f(0);
  for (var y = first.y; y < end.y; y++) {
    var row = vec4f(0);
    for (var x = first.x; x < end.x; x++) {
      let share = weight((f32(x) - middle.x + 0.5) / stretch.x);
      row += share * vec4f(textureLoad(frame, vec2i(x, y), 0).rgb, 1);
    }
    let share = weight((f32(y) - middle.y + 0.5) / stretch.y);
    sum += share * vec4f(clamp(row.rgb / row.a, vec3f(0), vec3f(1)), 1);
  }
  return clamp(sum.rgb / sum.a, vec3f(0), vec3f(1));
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (any(id.xy >= plan.size)) { return; }
  let at = vec2f(id.xy) + plan.corner;
  var rgb = plan.pad.rgb;
  if (all(at >= vec2f(0)) && all(at < plan.scaled)) { rgb = resized(at); }
  let pixel = (id.y * plan.size.x + id.x) * plan.steps.x;
  for (var c = 0u; c < plan.channels; c++) {
    tensor[pixel + c * plan.steps.y] = dot(plan.rows[c], vec4f(rgb, 1));
  }
}`;

/** One triangle over the whole canvas; the canvas' format rounds to bytes. */
export const TO_CANVAS = `
struct Plan {
  width: u32,
  step: u32,                // from a pixel to the next
  black: f32,
  white: f32,
  channels: vec4u,          // where red, green and blue of the first pixel are
}
@group(0) @binding(0) var<uniform> plan: Plan;
@group(0) @binding(1) var<storage, read> tensor: array<f32>;

@vertex
fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(f32(i & 1) * 4 - 1, f32(i >> 1) * 4 - 1, 0, 1);
}

@fragment
fn paint(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let pixel = (u32(at.y) * plan.width + u32(at.x)) * plan.step;
  let rgb = vec3f(tensor[pixel + plan.channels.x], tensor[pixel + plan.channels.y],
                  tensor[pixel + plan.channels.z]);
  return vec4f((rgb - plan.black) / (plan.white - plan.black), 1);
}`;
