/**
 * The {{ "largest" if largest else "smallest" }} k of n elements in each row, and their indices, the best first. `heap` holds the indices
 * of the best so far; its root is the worst of them.
 */
function NAME(H, x, values, indices, outer, n, k, inner) {
  const bits = new Int32Array(H.buffer, H.byteOffset, H.length);
  const heap = new Int32Array(k), keys = new Int32Array(k);
  for (let row = 0; row < outer * inner; row++) {
    const block = Math.floor(row / inner), column = row % inner;
    const from = x + block * n * inner + column, to = block * k * inner + column;
    for (let i = 0; i < k; i++) {
      heap[i] = i;
      keys[i] = NAME_key(bits[from + i * inner]);
    }
    for (let i = k >> 1; i-- > 0;) NAME_sift(heap, keys, i, k);
    for (let i = k; i < n; i++) {
      const key = NAME_key(bits[from + i * inner]);
      if (key > keys[0]) {
        heap[0] = i;
        keys[0] = key;
        NAME_sift(heap, keys, 0, k);
      }
    }
    for (let i = k - 1; i > 0; i--) {
      const index = heap[0], key = keys[0];
      heap[0] = heap[i];
      keys[0] = keys[i];
      heap[i] = index;
      keys[i] = key;
      NAME_sift(heap, keys, 0, i);
    }
    for (let i = 0; i < k; i++) {
      H[values + to + i * inner] = H[from + heap[i] * inner];
      H[indices + to + i * inner] = heap[i];
    }
  }
}

/** The better of two elements has the greater key. Zeros are equal, and NaN is above all numbers. */
function NAME_key(bits) {
  const nan = (bits & 0x7fffffff) > 0x7f800000;
  const key = nan ? 0x7fffffff : (bits ^ ((bits >> 31) >>> 1)) + (bits === -0x80000000 ? 1 : 0);
  return {{ "key" if largest else "~key" }};
}

/** Moves pair i of the heap's first n down until no child is worse. */
function NAME_sift(heap, keys, i, n) {
  const index = heap[i], key = keys[i];
  for (let child = 2 * i + 1; child < n; child = 2 * i + 1) {
    const other = child + 1;
    if (other < n && (keys[other] < keys[child]
      || (keys[other] === keys[child] && heap[other] > heap[child]))) child = other;
    if (keys[child] > key || (keys[child] === key && heap[child] < index)) break;
    heap[i] = heap[child];
    keys[i] = keys[child];
    i = child;
  }
  heap[i] = index;
  keys[i] = key;
}
