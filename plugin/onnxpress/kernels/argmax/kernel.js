/** The index, among `count` elements `step` apart, of the one that is {{ better }} all others. */
function NAME(H, y, x, count, step, {{ nest.parameters }}) {
{{ nest.head }}
  let best = 0;
  for (let i = 1; i < count; i++) {
    if (H[{{ nest.at.x }} + i * step] {{ better }} H[{{ nest.at.x }} + best * step]) best = i;
  }
  H[{{ nest.at.y }}] = best;
{{ nest.tail }}
}
