"""Names in the code use the words of docs/glossary.md, and none of those that it says not to use."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOT_IN_NAMES = frozenset({"door", "doors", "told", "kept", "said", "say", "tell", "tells"})
"""Words that name nothing in this program; for each, the glossary has the word to use."""

ALLOWED = {"tell": "a file of `export.nifti` is asked for its position by this name"}
"""Names with such a word, and why they stay."""


def names_in(tree: ast.AST) -> Iterator[str]:
    """Everything that a module gives a name to: definitions, arguments, variables and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def words_of(name: str) -> set[str]:
    """The words of a name, `snake_case` or `CamelCase`, in small letters."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_name_has_a_word_that_the_glossary_says_not_to_use() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in [*(ROOT / "cmr_viewer").rglob("*.py"), *ROOT.glob("*.py")]
        for name in names_in(ast.parse(path.read_text(encoding="utf-8")))
        if words_of(name) & NOT_IN_NAMES and name not in ALLOWED
    }
    assert sorted(found) == []


def test_the_glossary_has_each_of_these_words_in_its_column_of_words_not_to_use() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    not_used = " ".join(line.rsplit("|", 2)[1] for line in lines if line.startswith("|") and line.count("|") >= 4)
    assert NOT_IN_NAMES - set(re.findall(r"\w+", not_used)) - {"doors", "say", "tell", "tells"} == set()


def test_words_of_a_name_are_found_in_either_case() -> None:
    assert words_of("_read_kept") == {"read", "kept"}
    assert words_of("KeptFrame") == {"kept", "frame"}
    assert words_of("DOORS_of") == {"doors", "of"}
