"""Modules bundled into few files: what runs once, what is shared, and which forms are refused."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from onnxpress.runtime import RUNTIME, runtime_files, runtime_modules
from onnxpress.runtime.bundle import bundle

PAGE = """import { add as plus, Sum } from "./math/add.js";
import {
  count,
} from "./count.js";
export { Sum } from "./math/add.js";
export async function run() {
  const { count: other, numbers } = await import("./later.js");
  // import("./nothing.js") stands in a comment
  const found = [plus(1, 2), count(), other(), new Sum() instanceof Sum];
  for await (const path of numbers()) found.push(path.split("/").pop());
  return found;
}
"""
NET = {
    "page.js": PAGE,
    "count.js": "const name = \"count\";\nlet calls = 0;\n"
                "export function count() {\n"
                "  return /** @type {string} */ (`${name} ${++calls}`);\n}\n",
    "math/add.js": "const name = \"add\";\nexport class Sum {}\n"
                   "export const add = (a, b) => `${name} ${a + b}`;\n",
    "later.js": 'import { count } from "./count.js";\nimport { more } from "./math/more.js";\n'
                "async function* numbers() {\n  yield more;\n}\nexport { numbers, count };\n",
    "math/more.js": 'export const more = new URL("../count.css", import.meta.url).pathname;\n',
}


def test_a_bundle_runs_as_its_modules_do(tmp_path: Path) -> None:
    files = bundle(NET, ["page.js"])
    assert list(files) == ["page.js", "later.js"]
    results = []
    for name, texts in (("modules", NET), ("bundle", files)):
        for path, text in {**texts, "package.json": '{"type": "module"}'}.items():
            (tmp_path / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / path).write_text(text)
        script = (f'import {{ run, Sum }} from "{(tmp_path / name / "page.js").as_uri()}";'
                  "console.log(JSON.stringify([await run(), typeof Sum]))")
        node = shutil.which("node") or pytest.skip("no Node.js")
        results.append(subprocess.run([node, "--input-type=module", "-e", script],
                                      capture_output=True, text=True, check=True).stdout)
    assert results[0] == results[1]
    assert "@type" not in files["page.js"]
    assert results[0] == '[["add 3","count 1","count 2",true,"count.css"],"function"]\n'


@pytest.mark.parametrize("line", [
    'import * as all from "./count.js";', 'import name from "./count.js";', "export default 3;",
    "export let calls = 0;", 'export * from "./count.js";', "/** @type {Sum} */ (sum).calls = 0;",
])
def test_other_forms_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"^page.js: .*not among the forms"):
        bundle({**NET, "page.js": f"{line}\n"}, ["page.js"])


def test_every_module_of_the_runtime_is_published_once() -> None:
    scopes = [name for url, content in runtime_files().items() if url.endswith(".js")
              for name in re.findall(r"^const (\$\w+) = \(\(\) => \{$", content.decode(), re.M)]
    assert len(scopes) == len(set(scopes))
    without = {"types.js", "bench/frames.js"}  # of comments only; of the command only
    assert len(scopes) == len(runtime_modules().keys() - without)


def test_a_demo_waits_for_few_files() -> None:
    """A page and a worker load one script each; later scripts depend on the device."""
    files = runtime_files()
    page = files["onnxpress.js"].decode()
    assert not re.search(r"^import ", page, re.M) and "$targets_wasm " in page
    links = re.findall(r'^import .* from "\./(.*)";', files["worker.js"].decode(), re.M)
    assert links == ["onnxpress.js"]


def test_styles_are_published(tmp_path: Path) -> None:
    assert {p.name for p in RUNTIME.rglob("*.css")} == {
        Path(url).name for url in runtime_files() if url.endswith(".css")}
