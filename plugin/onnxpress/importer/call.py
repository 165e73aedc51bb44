"""One ONNX node with decoded attributes, as the lowerings read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ModelError, UnsupportedError, did_you_mean

GROWTH = 2**26  # elements that a node's constant may add to its operands': 256 MiB of f32

# TensorProto.DataType -> our name.
DTYPES = {1: "f32", 2: "u8", 3: "i8", 4: "u16", 5: "i16", 6: "i32", 7: "i64", 9: "bool", 10: "f16",
          11: "f64", 12: "u32", 13: "u64"}
OTHER_DTYPES = {8: "string", 14: "complex64", 15: "complex128", 16: "bfloat16", 17: "float8e4m3fn",
                18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz",
                21: "uint4", 22: "int4", 23: "float4e2m1"}

_REQUIRED: Any = object()


@dataclass(frozen=True)
class Call:
    """An ONNX node. `inputs`: names of values in the builder, "" for an absent one. `outputs`:
    names in the model, "" for an output that no node reads."""

    op: str
    name: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Any]

    @property
    def where(self) -> str:
        """The node, as error messages name it."""
        return f'{self.op} node "{self.name}" (opset {self.opset})'

    def bad(self, sentence: str) -> ModelError:
        """The error that the node is malformed, for the reason in `sentence`."""
        return ModelError(f"{self.where}: {sentence}")

    def refused(self, sentence: str) -> UnsupportedError:
        """The error that the node cannot be compiled, for the reason in `sentence`."""
        return UnsupportedError(f"{self.where}: {sentence}")

    def require_small(self, count: int) -> None:
        """That the node may have a constant of `count` elements.

        Raises:
            UnsupportedError: a page cannot hold it.
        """
        if count > GROWTH:
            raise self.refused(f"it needs a constant of {count} elements; a page cannot hold "
                               f"more than {GROWTH}")

    def input(self, index: int) -> str:
        """The name of a required input."""
        name = self.optional(index)
        if name is None:
            raise self.bad(f"input {index} is missing")
        return name

    def optional(self, index: int) -> str | None:
        """The name of an input; None if it is absent."""
        return (self.inputs[index] or None) if index < len(self.inputs) else None

    def only_output(self, what: str) -> None:
        """Refuses a node if its second or later output, `what`, is read."""
        if any(self.outputs[1:]):
            raise self.refused(f"its output {what} is read; only the first output is supported")

    def integer(self, name: str, default: int = _REQUIRED) -> int:
        """An attribute that is an integer."""
        return self._get(name, default, int, "an integer")

    def number(self, name: str, default: float = _REQUIRED) -> float:
        """An attribute that is a number."""
        return float(self._get(name, default, (int, float), "a number"))

    def numbers(self, name: str) -> tuple[float, ...]:
        """An attribute that is a list of numbers."""
        value = self._get(name, _REQUIRED, (list, tuple), "numbers")
        if not all(isinstance(v, int | float) for v in value):
            raise self.bad(f'attribute "{name}" must be numbers, it is {value}')
        return tuple(map(float, value))

    def integers(self, name: str, default: Sequence[int] | None = _REQUIRED,
                 count: int | None = None) -> tuple[int, ...]:
        """An attribute that is a list of integers, `count` of them. `default` None stands for an
        empty list."""
        value = self._get(name, () if default is None else default, (list, tuple), "integers")
        if not all(isinstance(v, int) for v in value):
            raise self.bad(f'attribute "{name}" must be integers, it is {value}')
        if count is not None and len(value) not in (count, 0 if default is None else count):
            raise self.bad(f'attribute "{name}" must hold {count} integers, it holds {len(value)}')
        return tuple(value)

    def text(self, name: str, default: str, choices: Sequence[str]) -> str:
        """An attribute that is one of the strings in `choices`."""
        value = self._get(name, default, str, "a string")
        if value not in choices:
            raise self.refused(f'{name} "{value}" is not one of {", ".join(choices)}.'
                               + did_you_mean(value, list(choices)))
        return value

    def dtype(self, name: str, default: str | None = None) -> str:
        """Our name for an attribute that holds a TensorProto.DataType."""
        if default is not None and name not in self.attrs:
            return default
        code = self.integer(name)
        if code not in DTYPES:
            kind = OTHER_DTYPES.get(code, f"number {code}")
            raise self.refused(f"the type {kind} is not supported; the nearest is float")
        return DTYPES[code]

    def axis(self, value: int, rank: int) -> int:
        """`value` counted from the front."""
        if not -rank <= value < rank:
            raise self.bad(f"axis {value} does not exist in rank {rank}")
        return value % rank

    def axes(self, values: Sequence[int], rank: int) -> tuple[int, ...]:
        """Distinct axes in ascending order."""
        axes = sorted(self.axis(int(v), rank) for v in values)
        if len(set(axes)) != len(axes):
            raise self.bad(f"axes {tuple(values)} name one axis twice")
        return tuple(axes)

    def _get(self, name: str, default: Any, kind: Any, what: str) -> Any:
        if name not in self.attrs:
            if default is _REQUIRED:
                raise self.bad(f'attribute "{name}" is missing')
            return default
        value = self.attrs[name]
        if not isinstance(value, kind):
            raise self.bad(f'attribute "{name}" must be {what}, it is {_kind(value)}')
        return value


def _kind(value: Any) -> str:
    names = {int: "an integer", float: "a number", str: "a string", list: "a list",
             tuple: "a list"}
    return names.get(type(value), "a tensor or graph")
