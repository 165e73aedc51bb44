{% set x, y = nest.at.x, nest.at.y %}
/** {{ "Logarithm of softmax" if log else "Softmax" }} over `count` elements, xStep and yStep apart. */
function NAME(H, y, x, count, yStep, xStep, {{ nest.parameters }}) {
{{ nest.head }}
  let top = -Infinity, sum = 0;
  for (let i = 0; i < count; i++) top = Math.max(top, H[{{ x }} + i * xStep]);
{% if log %}
  for (let i = 0; i < count; i++) sum += Math.exp(H[{{ x }} + i * xStep] - top);
  const shift = top + Math.log(sum);
  for (let i = 0; i < count; i++) H[{{ y }} + i * yStep] = H[{{ x }} + i * xStep] - shift;
{% else %}
  for (let i = 0; i < count; i++) {
    const e = Math.exp(H[{{ x }} + i * xStep] - top);
    H[{{ y }} + i * yStep] = e;
    sum += e;
  }
  for (let i = 0; i < count; i++) H[{{ y }} + i * yStep] /= sum;
{% endif %}
{{ nest.tail }}
}
