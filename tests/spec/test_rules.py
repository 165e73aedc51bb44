"""What specs may name: files of the project, and no code but recipes. Specs come from strangers."""

from pathlib import Path

import pytest
from onnxpress.errors import SpecError
from onnxpress.spec import Demo, Rules, parse_demo

PNG = "samples:\n  - {image: FILE, title: S, licence: CC0}\n"
CLASSES = "title: T\ntask: image-classification\nmodel: net.onnx\n"
# What a spec may name, with FILE where the name of a file stands.
NAMING = {
    "model": "title: T\ntask: tensor\nmodel: FILE.onnx\n",
    "file": "title: T\ntask: tensor\nmodel: {file: FILE}\n",
    "weights": "title: T\ntask: tensor\nmodel: {python: models/net.py, weights: {file: FILE}}\n",
    "image": CLASSES + "labels: [a]\n" + PNG,
    "labels": CLASSES + "labels: FILE\n",
    "options": "title: T\ntask: tensor\nmodel: net.onnx\n"
               "view: {controls: {s: {kind: blend, options: FILE}}}\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project beside a folder that is not its own."""
    for folder in ("project/docs", "project/models/labels", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("project/docs/net.onnx", "project/models/net.py", "project/docs/tool.py",
                 "outside/secret", "outside/secret.onnx", "outside/evil.py"):
        (tmp_path / name).write_text("secret")
    return tmp_path / "project"


def parse(project: Path, text: str, rules: Rules | None = None) -> Demo:
    rules = rules or Rules.around(project / "models", project / "docs")
    return parse_demo(text, "demo", project / "models", base=project / "docs",
                      where="docs/demo.yml", rules=rules)


def refusal(project: Path, text: str, rules: Rules | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        parse(project, text, rules)
    return str(caught.value)


@pytest.mark.parametrize("kind", NAMING)
def test_files_are_inside_the_project(kind: str, project: Path) -> None:
    """A path that climbs out, a link, and a folder that is a link. git keeps links."""
    end = ".onnx" if kind == "model" else ""
    (project / f"docs/link{end}").symlink_to(project.parent / f"outside/secret{end}")
    (project / "docs/linked").symlink_to(project.parent / "outside", target_is_directory=True)
    for name in ("../../outside/secret", "link", "linked/secret"):
        said = refusal(project, NAMING[kind].replace("FILE", name))
        assert said.startswith("docs/demo.yml:")
        assert "leads out of the project" in said or "not a file name in models/labels" in said
    (project / f"docs/own{end}").write_text("label")
    (project / f"docs/inner{end}").symlink_to(project / f"docs/own{end}")
    for name in ("own", "inner", "../docs/own")[:2 if kind in ("labels", "options") else 3]:
        parse(project, NAMING[kind].replace("FILE", name))


def test_cards_and_their_files_are_inside_the_project(project: Path) -> None:
    text = "title: T\ntask: tensor\nmodel: net\n"
    card = "title: C\nlicence: MIT\nsource: {file: ../outside/secret}\n"
    (project.parent / "outside/card.yml").write_text(card)
    for path in ("../outside", "../../outside"):  # from the project, or from models/
        (project / "models/net.yml").write_text(card.replace("../outside", path))
        assert "leads out of the project" in refusal(project, text)
    (project / "models/net.yml").unlink()
    (project / "models/net.yml").symlink_to(project.parent / "outside/card.yml")
    assert "leads out of the project" in refusal(project, text)


@pytest.mark.parametrize("model", [
    "{python: ../../outside/evil.py}", "{python: tool.py}", "tool.py:run",
    "{python: models/link.py}", "{python: models/linked/evil.py}"])
def test_only_recipes_are_code(model: str, project: Path) -> None:
    """Any other Python file, such as one of Python itself, could run any command."""
    (project / "models/link.py").symlink_to(project.parent / "outside/evil.py")
    (project / "models/linked").symlink_to(project.parent / "outside", target_is_directory=True)
    said = refusal(project, f"title: T\ntask: tensor\nmodel: {model}\n")
    assert "leads out of the project" in said or "is not inside models/, where recipes are" in said


def test_the_folder_of_recipes_is_no_link(project: Path) -> None:
    (project / "models").rename(project / "kept")
    (project / "models").symlink_to(project.parent / "outside", target_is_directory=True)
    said = refusal(project, "title: T\ntask: tensor\nmodel: {python: models/evil.py}\n")
    assert "leads out of the project" in said


def test_a_site_may_allow_more_folders_of_recipes(project: Path) -> None:
    rules = Rules.around(project / "models", project / "docs",
                         recipes=(project.parent / "outside",))
    for model in ("{python: models/net.py}", "{python: ../../outside/evil.py}"):
        parse(project, f"title: T\ntask: tensor\nmodel: {model}\n", rules)
    assert "where recipes are" in refusal(
        project, "title: T\ntask: tensor\nmodel: {python: tool.py}\n", rules)


def test_names_that_no_disk_takes_are_missing_files(project: Path) -> None:
    for kind in NAMING:
        end = ".onnx" if kind == "model" else ""
        assert f'there is no file "{"é" * 150}{end}"' in refusal(
            project, NAMING[kind].replace("FILE", "é" * 150))  # 300 bytes of UTF-8


def test_a_label_file_that_cannot_be_read(
        project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    (project / "docs/labels.txt").touch()
    monkeypatch.setattr(Path, "read_text", denied)
    assert '"labels.txt" cannot be read (Permission denied)' in refusal(
        project, NAMING["labels"].replace("FILE", "labels.txt"))
