"""What the build of one model may take. Whoever runs the build may raise it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from .errors import OnnxPressError, did_you_mean


@dataclass(frozen=True, slots=True)
class Limits:
    """A model that needs more is refused.

    `gigabytes`: memory of the compiling process and its children, in 10^9 bytes. `minutes`: from
    the first byte read to the finished pack. `teraflop`: 10^12 floating-point operations of one
    run, estimated from shapes before anything runs.
    """

    gigabytes: float = 8
    minutes: float = 60
    teraflop: float = 2

    @classmethod
    def of(cls, values: Mapping[str, Any], where: str) -> Self:
        """The limits that a configuration gives; the others keep their defaults.

        Raises:
            OnnxPressError: a name is unknown, or a value is no positive number.
        """
        names = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in names:
                raise OnnxPressError(f'{where}: there is no limit "{name}"; there are '
                                     f"{', '.join(names)}.{did_you_mean(name, names)}")
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise OnnxPressError(f"{where}: {name} is a number above 0, not {value}")
        return cls(**values)

    def told(self, name: str) -> str:
        """How a refusal ends: the limit, and what to do."""
        return f"the limit is {getattr(self, name):g} {name}; raise limits.{name} or --{name}"


LIMITS = Limits()
