/**
 * Weights for tiles of 4 output channels: [depth, groups*O] becomes [groups, ceil(O/4), depth, 4],
 * missing channels 0.
 */
export function pack_tiles(H, src, dst, depth, O, groups) {
  const row = groups * O;
  for (let g = 0; g < groups; g++) {
    for (let o = 0; o < O; o += 4) {
      for (let k = 0; k < depth; k++) {
        const from = src + k * row + g * O + o;
        for (let j = 0; j < 4; j++) H[dst++] = o + j < O ? H[from + j] : 0;
      }
    }
  }
}
