"""Classes of GPUs that programs are made for, and the tiles of matrix products.

runtime/targets/webgpu/device.js tells the class by maker and architecture, and by the textures
that a GPU reads, as some browsers hide the maker. Every WebGPU device has BC, or ETC2 and ASTC;
those without BC are phones. Direct3D 12 knows BC only, so what has no ASTC is no phone, whoever
made it (github.com/gpuweb/gpuweb/issues/144). What else is not known counts as integrated.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tile:
    """A workgroup makes `rows` x `cols` of C, `depth` of K at a time; an invocation makes
    `height` x 4 of it. `gain`: the share of peak arithmetic that its ratio of loads to
    multiplications allows. Tiles of A and B fit 16 KiB of workgroup memory."""

    rows: int
    cols: int
    depth: int
    height: int
    gain: float

    @property
    def lanes(self) -> int:
        return self.rows // self.height * self.cols // 4


TILES = (
    Tile(128, 64, 16, 8, 0.6),
    Tile(64, 64, 16, 4, 0.45),
    Tile(32, 64, 16, 4, 0.4),
    Tile(32, 32, 32, 4, 0.35),
    Tile(64, 16, 16, 4, 0.3),
    Tile(128, 8, 16, 4, 0.25),
    Tile(256, 4, 8, 4, 0.2),
)

SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # parts of K


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU of `processors`, each with `rate` fused multiply-adds a cycle and `resident`
    invocations at once. In cycles: a step from one tile of K to the next waits `latency` for
    memory unless other workgroups fill the time; a further dispatch costs `start`; to compile one
    more kind of product, spread over the runs of a visit, costs `kind`. `bandwidth`: bytes a
    cycle. `submit`: operations of one command buffer. `sizes`: how 3x3 convolutions may be made,
    directly (1) or in Winograd's tiles of so many pixels down and across; `splits`: in how many
    parts K may be summed."""

    name: str
    processors: int
    rate: int
    resident: int
    latency: int
    start: int
    kind: int
    bandwidth: int
    submit: int
    tiles: tuple[Tile, ...] = TILES
    sizes: tuple[int, ...] = (1, 2, 4)
    splits: tuple[int, ...] = SPLITS


# A driver takes 60 to 110 ms to compile one kind of product and works on two at a time (NVIDIA
# 580 through Dawn); half of that over 125 runs at 1.7 GHz are 400,000 cycles. DISCRETE was measured
# on an NVIDIA H100; the others are makers' figures for GPUs that share the memory of the CPU: with
# 96 execution units (Intel Xe), and in phones (Arm Mali-G78, Qualcomm Adreno 650). What is
# submitted at once takes the slowest of a class (400 and 100 GFLOP/s) a tenth of a second.
DISCRETE = Device("discrete", 128, 128, 2048, 700, 4000, 400_000, 1500, 40_000_000_000)
INTEGRATED = Device("integrated", 12, 64, 1024, 500, 4000, 300_000, 40, 10_000_000_000)
MOBILE = Device("mobile", 8, 64, 512, 400, 8000, 200_000, 30, 10_000_000_000)
DEVICES = (DISCRETE, INTEGRATED, MOBILE)
