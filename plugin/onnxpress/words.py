"""Numbers as a reader wants them: bytes, counts and operations in words."""


def size(count: int) -> str:
    """'18.8 MB'"""
    if count < 1e3:
        return f"{count} B"
    return f"{round(count / 1e3)} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"


def count(number: int) -> str:
    """'4.65 million'"""
    if number < 1e4:
        return f"{number:,}"
    return f"{number / 1e6:.3g} million" if number >= 1e6 else f"{round(number / 1e3)} thousand"


def flops(number: int) -> str:
    """'4.10 GFLOP'"""
    return f"{number / 1e9:.2f} GFLOP" if number >= 1e8 else f"{number / 1e6:.1f} MFLOP"


def exponent(value: float, digits: int = 2) -> str:
    """'1.2e-6', or '0'; `digits`: significant ones"""
    if not value:
        return "0"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def share(value: float) -> str:
    """'12.3 %'"""
    return f"{100 * value:.1f} %"


def share_width(value: float) -> str:
    """'12.30%', a length in HTML; between 0 and 100 %."""
    return f"{100 * min(max(value, 0), 1):.2f}%"
