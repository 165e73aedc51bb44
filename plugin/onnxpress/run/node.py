"""Runs a pack's JavaScript program in Node.js, with the runtime and the files that pages load."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..errors import PackError
from ..pack.targets import JsTarget
from ..runtime import RUNTIME

SECONDS = 600  # the most that the program may take

DRIVER = """
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { open } from "./runtime/targets/js.js";
import { goldenError, goldenInputs } from "./runtime/model/golden.js";
import { streamWeights } from "./runtime/load/weights.js";

const path = process.argv[2];
const manifest = JSON.parse(await readFile(path, "utf8"));
const file = async ({ url }) => Uint8Array.from(await readFile(join(dirname(path), url))).buffer;
const model = await open(manifest.targets.js, file, streamWeights(manifest, { file }), {
  loadModule: () => import("./program.js"),
});
const outputs = await model.run(goldenInputs(manifest.golden, manifest.inputs));
console.log(goldenError(manifest.golden, outputs));
"""


def golden_error(path: Path, target: JsTarget) -> float:
    """The error of the js target on the golden inputs, in the manifest's metric. `path` is the
    manifest, whose files are verified already.

    Raises:
        PackError: there is no Node.js, or the program fails in it.
    """
    node = shutil.which("node")
    if not node:
        raise PackError("there is no Node.js on PATH; install it, or leave --js out")
    program = path.parent / target.files["module"].url
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as name:
        folder = Path(name)
        shutil.copytree(RUNTIME, folder / "runtime")
        shutil.copyfile(program, folder / "program.js")
        (folder / "package.json").write_text(json.dumps({"type": "module"}), "utf-8",
                                             newline="\n")
        (folder / "driver.js").write_text(DRIVER, "utf-8", newline="\n")
        try:
            done = subprocess.run([node, folder / "driver.js", path.resolve()],
                                  encoding="utf-8", capture_output=True, check=False,
                                  timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise PackError(f"{path}: the JavaScript program takes more than {SECONDS} seconds "
                            "in Node") from None
    if done.returncode:
        reason = next((line for line in done.stderr.splitlines() if "Error" in line), "no reason")
        raise PackError(f"{path}: the JavaScript program fails in Node: {reason.strip()}")
    return float(done.stdout.strip().replace("Infinity", "inf"))
