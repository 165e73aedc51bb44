"""`python -m onnxpress.manifest`: writes the files that are made from the manifest's types."""

import sys

from .generated import generated

for path, text in generated().items():
    if not path.is_file() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
        sys.stdout.write(f"{path} is written\n")
