"""The layouts in which WebAssembly's kernels stream constant weights.

Each function returns the `Packing` of one layout; the packer of the same kind (`packers.py`)
writes it. A product kernel reads its weights [k][n] in blocks of 8 columns: [n/8][k][8], and [k][4]
for a last block of 1 to 4 columns. The docstrings call that "as `gemm`". Lanes beyond the last
column hold anything.
"""

from ..layout import Packing, round_up

UNITS = {"u8": 4, "i16": 2}  # storage -> elements that a dot product takes as one 4-byte unit


def gemm(k: int, n: int, groups: int = 1, pitch: int | None = None) -> Packing:
    """w[k, groups * n], each group as blocks of columns. `pitch`: elements between rows of w."""
    return Packing("gemm", groups * k * _lanes(n), (k, n, groups, pitch or groups * n))


def blocks(taps: int, c: int, o: int, groups: int, merge: int, pitch: int | None = None
           ) -> Packing:
    """w[taps, c, groups * o]: every `merge` groups become one [taps][merge * c][merge * o], as
    `gemm`. It is block-diagonal: 0 where row and column belong to different groups."""
    args = taps, c, o, groups, merge, pitch or groups * o
    return Packing("blocks", groups * taps * c * _lanes(merge * o), args)


def winograd(kh: int, kw: int, c: int, o: int) -> Packing:
    """w[kh, kw, c, o] as 36 matrices G g G^T, each [c][o] as `gemm`. kh and kw are 2 or 3."""
    return Packing(f"winograd_{kh}x{kw}", 36 * c * _lanes(o), (c, o))


def spread(kh: int, kw: int, c: int, o: int) -> Packing:
    """w[kh, kw, c, o] as [kh * c][kw * o], as `gemm`."""
    return Packing("spread", kh * c * _lanes(kw * o), (kh, kw, c, o))


def dot(storage: str, taps: int, c: int, n: int) -> Packing:
    """w[taps, c, n] of bytes as [taps * units][n] of 4-byte units, as `gemm`. A unit holds 4
    neighbours along c as bytes (storage "u8") or 2 as i16 ("i16"), 0 beyond c."""
    units = -(-c // UNITS[storage])
    return Packing(f"dot_{storage}", taps * units * _lanes(n), (taps, c, n))


def depthwise(taps: int, c: int) -> Packing:
    """w[taps, c] as [c/4][taps][4]."""
    return Packing("depthwise", taps * _lanes(c), (taps, c))


def _lanes(n: int) -> int:
    return round_up(n, 4)
