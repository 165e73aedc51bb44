"""`make conformance`: runs every node test in scope on every target, and writes table and page."""

import sys
import warnings

from onnxpress.run.browser import Browser
from onnxpress.runtime import RUNTIME
from support.chromium import SWIFTSHADER

from .page import PAGE, page
from .table import load, make, save, wrong

warnings.simplefilter("ignore")
with Browser({"/runtime/": RUNTIME}, flags=SWIFTSHADER) as browser:
    save(make(browser))
PAGE.write_text(page(), "utf-8", newline="\n")
bad = [name for name, row in load()[3].items()
       if any(wrong(name, said) for said in row.results.values())]
sys.exit(f"wrong: {', '.join(bad)}" if bad else 0)
