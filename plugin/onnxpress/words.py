"""Numbers as text for a reader: bytes, counts, operations and errors."""

from collections.abc import Callable

MOST_DIGITS = 17  # enough to tell any two float64 apart


def size(count: int) -> str:
    """Bytes: '18.8 MB'."""
    if count < 1e3:
        return f"{count} B"
    return f"{round(count / 1e3)} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def count(number: int) -> str:
    """A count: '4.65 million'."""
    if number < 1e4:
        return f"{number:,}"
    return f"{number / 1e6:.3g} million" if number >= 1e6 else f"{round(number / 1e3)} thousand"


def flops(number: int) -> str:
    """Floating-point operations: '4.10 GFLOP'."""
    return f"{number / 1e9:.2f} GFLOP" if number >= 1e8 else f"{number / 1e6:.1f} MFLOP"


def exponent(value: float, digits: int = 2) -> str:
    """A small number with `digits` significant digits: '1.2e-6'; '0' for zero."""
    if not value:
        return "0"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def percent(value: float) -> str:
    """A share of 1 as text: '12.3 %'."""
    return f"{100 * value:.1f} %"


def percent_width(value: float) -> str:
    """A share of 1, clamped to 0..1, as a width in CSS: '12.30%'."""
    return f"{100 * min(max(value, 0), 1):.2f}%"


def significant(value: float, digits: int) -> str:
    """`value` with `digits` significant digits: '0.9994'."""
    return f"{value:.{digits}g}"


def beside(value: float, limit: float, write: Callable[[float, int], str] = significant,
           digits: int = 4) -> str:
    """`value` as text, with `digits` digits, or more if rounding would move it to `limit` or past
    it: beside the limit 0.999, the text of 0.99896 is not "0.999". float() must read the text that
    `write` gives."""

    def sides(number: float) -> tuple[bool, bool]:
        return number >= limit, number <= limit

    while digits < MOST_DIGITS and sides(float(write(value, digits))) != sides(value):
        digits += 1
    return write(value, digits)
