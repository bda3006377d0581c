"""What the documents point at exists: each test that they name, each file that they link to."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STANDARDS = {"standards.md": 20, "msrp.md": 15}
"""The pages of standards, and how many rows each has at least."""
HOSTILE_KINDS = 33
WITHOUT_A_KIND = {
    # Bounds of the server's own that no kind is about.
    "tests/end_to_end/test_hostile_sizes.py",
    # What RFC 4475 and RFC 5118 list, which docs/standards.md names.
    "tests/end_to_end/test_hostile_torture.py",
}
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_ANCHOR_DROPS = re.compile(r"[^\w\- ]")


@cache
def functions_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def anchors_in(text: str) -> set[str]:
    """Return what the headings of a document can be linked to by."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {_ANCHOR_DROPS.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of each row of the tables, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    rules = [number for number, row in enumerate(rows) if all(set(cell) <= {"-"} for cell in row)]
    heads = {number - 1 for number in rules}
    return [row for number, row in enumerate(rows) if number not in heads.union(rules)]


any_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@any_document
def test_every_test_that_is_named_exists(document: Path) -> None:
    for file, function in _TEST.findall(document.read_text(encoding="utf-8")):
        path = ROOT / file
        assert path.is_file(), f"{file} is not there"
        assert not function or function in functions_in(path), f"{file} has no {function}"


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name
)
def test_every_link_inside_the_project_leads_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text(encoding="utf-8")):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{target} is not there"
        assert path.is_relative_to(ROOT), f"{target} is outside of the project"
        if anchor:
            assert anchor in anchors_in(path.read_text(encoding="utf-8")), f"no heading {target}"


any_page = pytest.mark.parametrize("page", STANDARDS)


@any_page
def test_every_standard_is_shown_by_a_test_or_said_to_be_left_out(page: str) -> None:
    rows = rows_of((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert len(rows) > STANDARDS[page]
    for row in rows:
        standard, done, left_out, shown = row
        assert standard.startswith("RFC ")
        assert done, f"{standard}: nothing is said of it"
        if done.startswith("Not yet"):
            assert left_out or shown == "", f"{standard}: what shows it?"
        else:
            assert _TEST.search(shown), f"{standard}: no test shows it"


@any_page
def test_no_standard_has_two_rows(page: str) -> None:
    rows = rows_of((ROOT / "docs" / page).read_text(encoding="utf-8"))
    names = [name for row in rows for name in row[0].split(", ")]
    assert len(names) == len(set(names))


def test_every_kind_of_hostile_input_is_shown_by_a_test() -> None:
    rows = rows_of((ROOT / "docs" / "hostile.md").read_text(encoding="utf-8"))
    assert [row[0] for row in rows] == [str(number) for number in range(1, HOSTILE_KINDS + 1)]
    for number, what, seen, shown in rows:
        assert what, number
        assert seen, number
        assert _TEST.search(shown), f"no test shows kind {number}"


def test_every_test_of_hostile_input_is_in_the_list() -> None:
    """One that nobody finds from there would be written twice."""
    text = (ROOT / "docs" / "hostile.md").read_text(encoding="utf-8")
    listed = {file for file, _ in _TEST.findall(text)}
    there = {
        str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_hostile_*.py")
    } - WITHOUT_A_KIND
    assert there <= listed
