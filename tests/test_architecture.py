"""Every file and every function that docs/architecture.md names exists: the page walks through the code as it is."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cmr_viewer"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def names_in(file: Path) -> set[str]:
    """Classes, functions and assigned names of a module, and members of its classes as `Class.member`."""

    def names(body: list[ast.stmt], prefix: str = "") -> set[str]:
        found: set[str] = set()
        for one in body:
            if isinstance(one, ast.ClassDef):
                found |= {prefix + one.name} | names(one.body, f"{one.name}.")
            elif isinstance(one, ast.FunctionDef):
                found.add(prefix + one.name)
            elif isinstance(one, ast.Assign | ast.AnnAssign):
                targets = one.targets if isinstance(one, ast.Assign) else [one.target]
                found |= {prefix + target.id for target in targets if isinstance(target, ast.Name)}
        return found

    return names(ast.parse(file.read_text(encoding="utf-8")).body)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


PATHS = sorted({one for one in quoted(PAGE) if re.fullmatch(r"[\w/]+(\.py|/)", one)})
ROWS = [
    (file, name)
    for line in PAGE.splitlines()
    if line.startswith("|")
    for *_, file, name in [re.split(r"\s*\|\s*", line.strip("| "))]
    if re.fullmatch(r"`[\w/]+\.py`", file)
]
IN_WORDS = re.findall(r"`([A-Z]\w+(?:\.\w+)?)` (?:in|of|\()[ ]?`([\w/]+\.py)`", PAGE.replace("\n  ", " "))


@pytest.mark.parametrize("path", PATHS)
def test_a_file_or_folder_that_the_page_names_exists(path: str) -> None:
    assert any((base / path).exists() for base in (PACKAGE, ROOT))


@pytest.mark.parametrize(("file", "name"), ROWS)
def test_a_function_that_a_step_names_is_in_its_file(file: str, name: str) -> None:
    assert set(quoted(name)) <= names_in(PACKAGE / file.strip("`"))


@pytest.mark.parametrize(("name", "file"), IN_WORDS)
def test_a_class_that_the_text_names_is_in_its_file(name: str, file: str) -> None:
    assert name in names_in(PACKAGE / file)


def test_other_pages_name_files_where_they_are() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "decisions").glob("*.md"), *ROOT.glob("*.md")]
    missing = {
        f"{page.name}: {path}"
        for page in pages
        for path in quoted(page.read_text(encoding="utf-8"))
        if re.fullmatch(r"\w+/[\w/]+\.py", path) and not any((base / path).exists() for base in (PACKAGE, ROOT))
    }
    assert sorted(missing) == []


def test_the_page_has_its_three_walks_and_its_table() -> None:
    assert len(PATHS) > 30
    assert len(ROWS) > 40
    assert len(IN_WORDS) >= 5


def test_the_index_of_decisions_has_each_of_them_by_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    titles = {path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in folder.glob("0*.md")}
    lines = [f"| {title[2:6]} | [{title[7:]}]({name}) |" for name, title in sorted(titles.items())]
    assert [line for line in (folder / "README.md").read_text(encoding="utf-8").splitlines() if "](0" in line] == lines


def test_every_room_is_in_the_picture() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    picture = PAGE.split("## Walk 1")[0]
    assert {room for room in rooms if f"{room}/" not in picture} == set()
