"""Classes of GPUs for which programs are compiled, and the tiles of matrix products.

runtime/targets/webgpu/device.js tells a GPU's class by its maker and architecture. Some browsers
hide the maker; then the compressed textures that the GPU reads decide. Every WebGPU device reads
BC, or ETC2 and ASTC. A device without BC is a phone. Direct3D 12 knows only BC, so a device without
ASTC is no phone (github.com/gpuweb/gpuweb/issues/144). Every other device counts as integrated.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tile:
    """A workgroup computes `rows` x `cols` elements of C, `depth` of K at a time; an invocation
    computes `height` x 4 of them. `gain`: the share of peak arithmetic that the tile's ratio of
    loads to multiplications allows. The tiles of A and B fit 16 KiB of workgroup memory."""

    rows: int
    cols: int
    depth: int
    height: int
    gain: float

    @property
    def lanes(self) -> int:
        """Invocations of a workgroup."""
        return self.rows // self.height * self.cols // 4


# Sizes and gains are chosen by trial.
TILES = (
    Tile(128, 64, 16, 8, 0.6),
    Tile(64, 64, 16, 4, 0.45),
    Tile(32, 64, 16, 4, 0.4),
    Tile(32, 32, 32, 4, 0.35),
    Tile(64, 16, 16, 4, 0.3),
    Tile(128, 8, 16, 4, 0.25),
    Tile(256, 4, 8, 4, 0.2),
)

SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # numbers of parts into which K may be cut


@dataclass(frozen=True, slots=True)
class Device:
    """A class of GPUs.

    processors  compute units
    rate        fused multiply-adds per cycle and processor
    resident    invocations that a processor holds at once
    latency     cycles that a step to the next tile of K waits for memory, unless other workgroups
                fill the time
    start       cycles of one more dispatch
    kind        cycles to compile one more kind of product shader, spread over the runs of a visit
    bandwidth   bytes of memory traffic per cycle
    submit      operations of one command buffer
    tiles       tiles of products to choose from
    sizes       algorithms for 3x3 convolutions to choose from: 1 is direct, n is Winograd's in
                tiles of n x n pixels
    splits      numbers of parts of K to choose from
    """

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


# `kind`: a driver compiles one kind of product in 60 to 110 ms, two at a time (NVIDIA 580 through
# Dawn). Half of that, spread over 125 runs at 1.7 GHz, is 400,000 cycles.
# DISCRETE is measured on an NVIDIA H100. INTEGRATED and MOBILE are makers' figures for GPUs that
# share the CPU's memory: Intel Xe with 96 execution units; Arm Mali-G78 and Qualcomm Adreno 650.
# `submit`: one command buffer takes the slowest GPU of its class (400 and 100 GFLOP/s) 0.1 s.
DISCRETE = Device("discrete", 128, 128, 2048, 700, 4000, 400_000, 1500, 40_000_000_000)
INTEGRATED = Device("integrated", 12, 64, 1024, 500, 4000, 300_000, 40, 10_000_000_000)
MOBILE = Device("mobile", 8, 64, 512, 400, 8000, 200_000, 30, 10_000_000_000)
DEVICES = (DISCRETE, INTEGRATED, MOBILE)
