/** Sums along the middle axis of x [outer, length, inner], from `start` on, `pitch` apart. */
function NAME(H, y, x, outer, length, inner, start, pitch) {
  for (let block = 0; block < outer; block++) {
    for (let column = 0; column < inner; column++) {
      let at = block * length * inner + column + start, sum = 0;
      for (let i = 0; i < length; i++, at += pitch) {
{% if exclusive %}
        H[y + at] = sum;
        sum += H[x + at];
{% else %}
        sum += H[x + at];
        H[y + at] = sum;
{% endif %}
      }
    }
  }
}
