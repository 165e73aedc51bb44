"""The manifest's types: what is made from them is not stale, and all readers agree."""

from onnxpress.manifest.generated import generated, onnxpress_declarations


def test_what_is_made_from_the_types_is_not_stale() -> None:
    stale = [path.name for path, text in generated().items() if path.read_text("utf-8") != text]
    assert not stale, "run python -m onnxpress.pack"


def test_the_declarations_name_what_the_module_exports() -> None:
    text = onnxpress_declarations()
    for line in ("export function load(url: string | URL, options?: LoadOptions): Promise<Model>;",
                 "export class PressError extends Error {", "export class OnnxDemo",
                 "export interface Manifest {", "  targets: Targets;", "  oneFile?: OneFile;",
                 "  /** the format's version */"):
        assert line in text
    assert "import" not in text
