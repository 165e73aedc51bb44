"""Generated WebAssembly inside scripts of the runtime, which need it before any pack is there."""

import base64
import re

WIDTH = 88  # characters of a line's string


def embed(script: str, name: str, module: bytes) -> str:
    """The script with `module`, in base64, as the string that it gives `name`.

    Raises:
        ValueError: it gives `name` no string.
    """
    text = base64.b64encode(module).decode()
    rows = [text[i : i + WIDTH] for i in range(0, len(text), WIDTH)]
    found = re.search(rf'\b{name}(?: =|:)\n( +)("[^;,]*")', script)
    if not found:
        raise ValueError(f"the script gives no string to {name}")
    lines = f" +\n{found[1]}".join(f'"{row}"' for row in rows)
    return script[: found.start(2)] + lines + script[found.end(2) :]
