"""How WebAssembly stores a value's elements, where they are whole numbers."""

from dataclasses import dataclass

ELEMENT_BYTES = {"f32": 4, "i16": 2, "u8": 1}


@dataclass(frozen=True, slots=True)
class Storage:
    """How a value's elements lie in memory. "f32" holds the value; "i16" and "u8" hold the whole
    number value - `low`."""

    kind: str = "f32"
    low: int = 0

    @property
    def bytes(self) -> int:
        """Bytes of one element."""
        return ELEMENT_BYTES[self.kind]


F32 = Storage()


@dataclass(frozen=True, slots=True)
class Dot:
    """How a product of whole numbers is stored: `x` its left operand, `out` its output, `extras`
    its epilogue's operands in order."""

    x: Storage = F32
    out: Storage = F32
    extras: tuple[Storage, ...] = ()
