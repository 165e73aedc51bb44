"""How far Winograd's F(2x2, 3x3) and F(4x4, 3x3) may be from exact sums."""

import numpy as np

# By size: sums of |B'| by row, the largest |A'| by column, and |G|.
LINES = {
    2: ([2, 2, 2, 2], [1, 1, 1, 1], np.array([[2, 0, 0], [1, 1, 1], [1, 1, 1], [0, 0, 2]]) / 2),
    4: ([10, 10, 10, 6, 6, 10], [1, 1, 1, 8, 8, 1],
        np.array([[6, 0, 0], [4, 4, 4], [4, 4, 4], [1, 2, 4], [1, 2, 4], [0, 0, 24]]) / 24),
}


def magnitude(weights: np.ndarray, largest: float, size: int) -> float:
    """What a sum over weights [KH, KW, C, O], of 2 or 3 taps each way, and cells |x| <= `largest`
    amounts to where nothing cancels: each rounding on the way, relative to its own value, moves an
    output by at most its share of this."""
    cells, pixels, g = LINES[size]
    reach = np.multiply(cells, pixels)
    kh, kw = weights.shape[:2]
    u = np.einsum("ri,sj,ijco->rso", g[:, :kh], g[:, :kw], np.abs(weights))
    return float(largest * np.einsum("r,s,rso->o", reach, reach, u).max())
