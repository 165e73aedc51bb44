"""Puts generated WebAssembly into scripts of the runtime that need it before any pack is loaded."""

import base64
import re

WIDTH = 88  # characters of base64 in one line


def embed(script: str, name: str, module: bytes) -> str:
    """The script, with `module` in base64 as the string that it assigns to `name`.

    Raises:
        ValueError: the script assigns no string to `name`.
    """
    text = base64.b64encode(module).decode()
    rows = [text[i : i + WIDTH] for i in range(0, len(text), WIDTH)]
    found = re.search(rf'\b{name}(?: =|:)\n( +)("[^;,]*")', script)
    if not found:
        raise ValueError(f"the script gives no string to {name}")
    lines = f" +\n{found[1]}".join(f'"{row}"' for row in rows)
    return script[: found.start(2)] + lines + script[found.end(2) :]
