"""A WebAssembly assembler: it encodes functions whose instructions bear the specification's names.

V8 keeps the order of instructions, so the order in which a kernel emits them is the schedule.
Source: WebAssembly Core Specification 2.0 (binary format) and the relaxed-simd proposal.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace

PAGE = 65536  # bytes
MAX_PAGES = 65536
I32, V128 = 0x7F, 0x7B
_VOID = 0x40

# Opcodes of instructions without immediates. Scalar ones are one byte. Vector ones follow the
# prefix byte 0xFD. Bulk memory instructions (BULK) follow 0xFC, with the memory's index.
SCALAR = {
    "unreachable": 0x00, "return": 0x0F, "drop": 0x1A, "select": 0x1B,
    "i32.eqz": 0x45, "i32.eq": 0x46, "i32.ne": 0x47, "i32.lt_s": 0x48, "i32.lt_u": 0x49,
    "i32.gt_s": 0x4A, "i32.gt_u": 0x4B, "i32.le_s": 0x4C, "i32.le_u": 0x4D, "i32.ge_s": 0x4E,
    "i32.ge_u": 0x4F, "f32.eq": 0x5B, "f32.ne": 0x5C, "f32.lt": 0x5D, "f32.gt": 0x5E,
    "f32.le": 0x5F, "f32.ge": 0x60, "i32.add": 0x6A, "i32.sub": 0x6B, "i32.mul": 0x6C,
    "i32.div_s": 0x6D, "i32.div_u": 0x6E, "i32.rem_s": 0x6F, "i32.rem_u": 0x70, "i32.and": 0x71,
    "i32.or": 0x72, "i32.xor": 0x73, "i32.shl": 0x74, "i32.shr_s": 0x75, "i32.shr_u": 0x76,
    "f32.abs": 0x8B, "f32.neg": 0x8C, "f32.ceil": 0x8D, "f32.floor": 0x8E, "f32.trunc": 0x8F,
    "f32.nearest": 0x90, "f32.sqrt": 0x91, "f32.add": 0x92, "f32.sub": 0x93, "f32.mul": 0x94,
    "f32.div": 0x95, "f32.min": 0x96, "f32.max": 0x97, "f32.copysign": 0x98,
    "f32.convert_i32_s": 0xB2, "f32.convert_i32_u": 0xB3, "f32.reinterpret_i32": 0xBE,
    "i32.reinterpret_f32": 0xBC, "i32.trunc_f32_s": 0xA8,
}
VECTOR = {
    "i8x16.swizzle": 0x0E, "i32x4.splat": 0x11, "f32x4.splat": 0x13,
    "i32x4.eq": 0x37, "i32x4.ne": 0x38, "i32x4.lt_s": 0x39, "i32x4.gt_s": 0x3B,
    "f32x4.eq": 0x41, "f32x4.ne": 0x42, "f32x4.lt": 0x43, "f32x4.gt": 0x44, "f32x4.le": 0x45,
    "f32x4.ge": 0x46, "v128.not": 0x4D, "v128.and": 0x4E, "v128.andnot": 0x4F, "v128.or": 0x50,
    "v128.xor": 0x51, "v128.bitselect": 0x52, "v128.any_true": 0x53, "f32x4.ceil": 0x67,
    "f32x4.floor": 0x68, "f32x4.trunc": 0x69, "f32x4.nearest": 0x6A,
    "i32x4.abs": 0xA0, "i32x4.neg": 0xA1, "i32x4.all_true": 0xA3, "i32x4.shl": 0xAB,
    "i32x4.shr_s": 0xAC, "i32x4.shr_u": 0xAD, "i32x4.add": 0xAE, "i32x4.sub": 0xB1,
    "i32x4.mul": 0xB5, "i32x4.min_s": 0xB6, "i32x4.max_s": 0xB8, "i32x4.dot_i16x8_s": 0xBA,
    "f32x4.abs": 0xE0, "f32x4.neg": 0xE1, "f32x4.sqrt": 0xE3, "f32x4.add": 0xE4,
    "f32x4.sub": 0xE5, "f32x4.mul": 0xE6, "f32x4.div": 0xE7, "f32x4.min": 0xE8, "f32x4.max": 0xE9,
    "f32x4.pmin": 0xEA, "f32x4.pmax": 0xEB, "i32x4.trunc_sat_f32x4_s": 0xF8,
    "f32x4.convert_i32x4_s": 0xFA, "f32x4.relaxed_madd": 0x105, "f32x4.relaxed_nmadd": 0x106,
    "i8x16.narrow_i16x8_u": 0x66, "i16x8.narrow_i32x4_s": 0x85, "i32x4.extend_low_i16x8_s": 0xA7,
    "i32x4.extend_high_i16x8_s": 0xA8, "i32x4.relaxed_dot_i8x16_i7x16_add_s": 0x113,
    "i64x2.shr_u": 0xCD,
}
# name -> (opcode, log2 of the alignment in bytes)
LOAD_STORE = {"i32.load": (0x28, 2), "f32.load": (0x2A, 2), "i32.store": (0x36, 2),
              "f32.store": (0x38, 2)}
# Alignment 0 is written for all of them: unaligned addresses are legal, and it costs nothing.
VECTOR_LOAD_STORE = {"v128.load": 0x00, "v128.load32_splat": 0x09, "v128.store": 0x0B,
                     "v128.load32_zero": 0x5C, "v128.load64_zero": 0x5D, "v128.load8x8_s": 0x01,
                     "v128.load8x8_u": 0x02, "v128.load16x4_s": 0x03, "v128.load16x4_u": 0x04}
BULK = {"memory.copy": b"\x0a\0\0", "memory.fill": b"\x0b\0"}
LANE_STORE = {"v128.store32_lane": 0x5A, "v128.store64_lane": 0x5B}


def unsigned(n: int) -> bytes:
    """`n` >= 0 as unsigned LEB128."""
    out = bytearray()
    while True:
        byte, n = n & 0x7F, n >> 7
        out.append(byte | (0x80 if n else 0))
        if not n:
            return bytes(out)


def signed(n: int) -> bytes:
    """`n` as signed LEB128."""
    out = bytearray()
    while True:
        byte, n = n & 0x7F, n >> 7
        done = (n == 0 and not byte & 0x40) or (n == -1 and byte & 0x40)
        out.append(byte | (0 if done else 0x80))
        if done:
            return bytes(out)


class Function:
    """One function under construction. Its parameters are locals 0, 1, ...; `locals` holds the
    types of the others. Most methods append one instruction and return the function."""

    def __init__(self, name: str, params: Sequence[int] = (), result: int | None = None) -> None:
        self.name, self.params, self.result = name, tuple(params), result
        self.index = -1
        self.export = False
        self.locals: list[int] = []
        self.body = bytearray()
        # Loads and stores: (position in the body, instruction, offset in bytes).
        self.accesses: list[tuple[int, str, int]] = []

    def local(self, kind: int = I32) -> int:
        """The index of a new local of type `kind`."""
        self.locals.append(kind)
        return len(self.params) + len(self.locals) - 1

    def many(self, count: int, kind: int = V128) -> list[int]:
        """The indices of `count` new locals of type `kind`."""
        return [self.local(kind) for _ in range(count)]

    def op(self, *names: str) -> "Function":
        """Appends instructions without immediates, in order."""
        for name in names:
            if name in SCALAR:
                self.body.append(SCALAR[name])
            elif name in BULK:
                self.body += b"\xfc" + BULK[name]
            else:
                self.body += b"\xfd" + unsigned(VECTOR[name])
        return self

    def get(self, *indices: int) -> "Function":
        for index in indices:
            self.body += b"\x20" + unsigned(index)
        return self

    def set(self, index: int) -> "Function":
        self.body += b"\x21" + unsigned(index)
        return self

    def tee(self, index: int) -> "Function":
        self.body += b"\x22" + unsigned(index)
        return self

    def i32(self, n: int) -> "Function":
        self.body += b"\x41" + signed(n if n < 1 << 31 else n - (1 << 32))
        return self

    def f32(self, x: float) -> "Function":
        self.body += b"\x43" + struct.pack("<f", x)
        return self

    def f32x4(self, *lanes: float) -> "Function":
        """A vector constant of 4, 2 or 1 numbers; fewer than 4 repeat."""
        self.body += b"\xfd\x0c" + struct.pack("<4f", *(lanes * (4 // len(lanes))))
        return self

    def i32x4(self, *lanes: int) -> "Function":
        full = [n & 0xFFFFFFFF for n in lanes * (4 // len(lanes))]
        self.body += b"\xfd\x0c" + struct.pack("<4I", *full)
        return self

    def shuffle(self, *lanes: int) -> "Function":
        """A shuffle of 32-bit lanes: 0..3 of the first operand, 4..7 of the second."""
        self.body += b"\xfd\x0d" + bytes(4 * n + b for n in lanes for b in range(4))
        return self

    def shuffle_bytes(self, *lanes: int) -> "Function":
        """i8x16.shuffle: bytes 0..15 of the first operand, 16..31 of the second."""
        self.body += b"\xfd\x0d" + bytes(lanes)
        return self

    def lane(self, index: int) -> "Function":
        """f32x4.extract_lane."""
        self.body += b"\xfd\x1f" + bytes([index])
        return self

    def load(self, name: str, offset: int = 0) -> "Function":
        """A load or store at the address on the stack plus `offset` bytes."""
        start = len(self.body)
        if name in LOAD_STORE:
            code, align = LOAD_STORE[name]
            self.body += bytes([code]) + unsigned(align) + unsigned(offset)
        else:
            self.body += b"\xfd" + unsigned(VECTOR_LOAD_STORE[name]) + b"\0" + unsigned(offset)
        self.accesses.append((start, name, offset))
        return self

    store = load

    def store_lane(self, name: str, lane: int, offset: int = 0) -> "Function":
        self.accesses.append((len(self.body), name, offset))
        self.body += b"\xfd" + unsigned(LANE_STORE[name]) + b"\0" + unsigned(offset)
        self.body.append(lane)
        return self

    def add(self, index: int, amount: int) -> "Function":
        """Local `index` += `amount`."""
        return self.get(index).i32(amount).op("i32.add").set(index)

    def add_local(self, index: int, other: int) -> "Function":
        """Local `index` += local `other`."""
        return self.get(index, other).op("i32.add").set(index)

    def call(self, function: "Function") -> "Function":
        self.body += b"\x10" + unsigned(function.index)
        return self

    def br(self, depth: int) -> "Function":
        self.body += b"\x0c" + unsigned(depth)
        return self

    def br_if(self, depth: int) -> "Function":
        self.body += b"\x0d" + unsigned(depth)
        return self

    @contextmanager
    def block(self) -> Iterator[None]:
        self.body += bytes([0x02, _VOID])
        yield
        self.body.append(0x0B)

    @contextmanager
    def loop(self) -> Iterator[None]:
        """A loop: `br(0)` inside repeats it, reaching its end leaves it."""
        self.body += bytes([0x03, _VOID])
        yield
        self.body.append(0x0B)

    @contextmanager
    def if_(self) -> Iterator[None]:
        self.body += bytes([0x04, _VOID])
        yield
        self.body.append(0x0B)

    def else_(self) -> "Function":
        self.body.append(0x05)
        return self

    @contextmanager
    def times(self, counter: int) -> Iterator[None]:
        """The body runs as often as local `counter` says, at least once; `counter` ends at 0."""
        with self.loop():
            yield
            self.get(counter).i32(-1).op("i32.add").tee(counter).br_if(0)


def function(name: str, params: str) -> tuple[Function, SimpleNamespace]:
    """A function with the i32 parameters named in `params`, and a namespace name -> local."""
    names = params.split()
    return Function(name, [I32] * len(names)), SimpleNamespace(
        **{n: i for i, n in enumerate(names)}
    )


class Module:
    """Functions, data, and an imported memory. `imports` are functions of the module "" and get
    the first indices. A function must be added before another one calls it. `segments` holds the
    data: (byte address, content)."""

    def __init__(self, imports: Sequence[Function] = ()) -> None:
        self.imports = tuple(imports)
        self.functions: list[Function] = []
        self.segments: list[tuple[int, bytes]] = []
        for index, function in enumerate(self.imports):
            function.index = index

    def add(self, function: Function, export: bool = False) -> Function:
        function.index, function.export = len(self.imports) + len(self.functions), export
        self.functions.append(function)
        return function

    def encode(self, pages: int) -> bytes:
        """The module's bytes. It imports a memory of at least `pages` pages of 64 KiB. The memory
        has an upper limit, as a shared memory must, so runtime/targets/wasm.js makes the import a
        shared one by changing one byte."""
        types, indices = [], []
        for f in (*self.imports, *self.functions):
            result = b"\x01" + bytes([f.result]) if f.result is not None else b"\0"
            kind = b"\x60" + unsigned(len(f.params)) + bytes(f.params) + result
            if kind not in types:
                types.append(kind)
            indices.append(unsigned(types.index(kind)))
        memory = b"\0" + _name("memory") + b"\x02\x01" + unsigned(pages) + unsigned(MAX_PAGES)
        imports = [memory] + [b"\0" + _name(f.name) + b"\0" + index
                              for f, index in zip(self.imports, indices, strict=False)]
        exports = [_name(f.name) + b"\0" + unsigned(f.index) for f in self.functions if f.export]
        out = b"\0asm\1\0\0\0" + _section(1, types) + _section(2, imports)
        out += _section(3, indices[len(self.imports):]) + _section(7, exports)
        out += _section(10, [_code(f) for f in self.functions])
        if self.segments:
            data = [b"\0\x41" + signed(at) + b"\x0b" + unsigned(len(b)) + b
                    for at, b in self.segments]
            out += _section(11, data)
        return out


def custom_section(name: str, numbers: Iterable[int]) -> bytes:
    """A custom section with signed numbers, to append to a module's bytes."""
    body = _name(name) + b"".join(map(signed, numbers))
    return b"\0" + unsigned(len(body)) + body


def _section(number: int, items: list[bytes]) -> bytes:
    body = unsigned(len(items)) + b"".join(items)
    return bytes([number]) + unsigned(len(body)) + body


def _name(text: str) -> bytes:
    raw = text.encode()
    return unsigned(len(raw)) + raw


def _code(f: Function) -> bytes:
    """The function's entry in the code section; equal neighbours among its locals are one run."""
    runs: list[list[int]] = []
    for kind in f.locals:
        if runs and runs[-1][1] == kind:
            runs[-1][0] += 1
        else:
            runs.append([1, kind])
    head = unsigned(len(runs)) + b"".join(unsigned(n) + bytes([kind]) for n, kind in runs)
    body = head + bytes(f.body) + b"\x0b"
    return unsigned(len(body)) + body
