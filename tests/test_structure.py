"""The rules of the tree that no other tool holds: sizes, mirror tests, reasons for exceptions.

Which way imports point is held by import-linter, from the contracts in pyproject.toml. Every rule
here speaks of what exists, so a new file needs no entry; only an exception does, with a reason.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MIN_REASON = 15  # characters; less than that explains nothing

# path: reason
LONG_FILES: dict[str, str] = {}

# path:function, where a method is Class.method: reason
LONG_FUNCTIONS: dict[str, str] = {}

# path, or a folder ending in "/": reason
NO_MIRROR_TEST: dict[str, str] = {
    "sylk/errors.py": "holds classes that the tests of every layer raise and catch",
    "sylk/msrp/link.py": "says only what a session needs of its connection; has no code",
    "sylk/cli/": "the commands are run as processes in tests/end_to_end",
}

VAGUE_NAMES = {"utils", "util", "common", "helpers", "misc", "core_utils"}

_SUPPRESSION = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+[0-9]+(?:,\s*[A-Z]+[0-9]+)*|(?:type|pyright): ignore\[[^\]]+\]"
    r"|pragma: no cover)(?P<reason>.*)"
)
_ANY_SUPPRESSION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:|pragma:)")


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(
            path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts
        )


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions_of(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Yield (name, lines) of each function, those inside others too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{prefix}{node.name}"
            if not isinstance(node, ast.ClassDef):
                yield name, (node.end_lineno or node.lineno) - node.lineno + 1
            yield from functions_of(node, f"{name}.")
        else:
            yield from functions_of(node, prefix)


def has_behaviour(path: Path) -> bool:
    """Tell whether a module has code that runs; plain data is tested by those who use it."""
    return any(functions_of(ast.parse(path.read_text(encoding="utf-8"))))


PRODUCT = [
    pytest.param(path, id=name_of(path))
    for path in python_files("sylk", "apps", "benchmarks", "examples")
]
MIRRORED = [
    pytest.param(path, id=name_of(path))
    for path in python_files("sylk", "apps")
    if path.name != "__init__.py" and has_behaviour(path)
]
ALL = [
    pytest.param(path, id=name_of(path))
    for path in python_files("sylk", "apps", "benchmarks", "examples", "tests")
]


def mirror_of(path: Path) -> Path:
    """Return where the tests of a module stand.

    sylk/sip/uri.py has tests/sip/test_uri.py, apps/echo/sylk_echo/app.py has
    tests/apps/echo/test_app.py.
    """
    top, *folders, _ = path.relative_to(ROOT).parts
    inside = folders if top == "sylk" else ["apps", folders[0], *folders[2:]]
    return ROOT.joinpath("tests", *inside, f"test_{path.name}")


def exempt_from_mirror(name: str) -> bool:
    return any(
        name == entry or (entry.endswith("/") and name.startswith(entry))
        for entry in NO_MIRROR_TEST
    )


@pytest.mark.parametrize("path", PRODUCT)
def test_a_file_is_one_idea(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    if name_of(path) in LONG_FILES:
        assert lines > MAX_FILE_LINES, "needs no exception any more"
    else:
        assert lines <= MAX_FILE_LINES, f"{lines} lines: split it, or give a reason in LONG_FILES"


@pytest.mark.parametrize("path", PRODUCT)
def test_a_function_is_one_step(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function, lines in functions_of(tree):
        name = f"{name_of(path)}:{function}"
        if name in LONG_FUNCTIONS:
            assert lines > MAX_FUNCTION_LINES, f"{name} needs no exception any more"
        else:
            assert lines <= MAX_FUNCTION_LINES, f"{name} has {lines} lines"


@pytest.mark.parametrize("path", MIRRORED)
def test_a_module_has_a_test_file_of_its_own(path: Path) -> None:
    if exempt_from_mirror(name_of(path)):
        return
    assert mirror_of(path).is_file(), f"{name_of(mirror_of(path))} is missing"


@pytest.mark.parametrize("path", PRODUCT)
def test_a_module_is_named_for_what_it_does(path: Path) -> None:
    assert not VAGUE_NAMES.intersection(path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", ALL)
def test_whatever_silences_a_check_says_why(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or not _ANY_SUPPRESSION.match(token.string):
            continue
        match = _SUPPRESSION.match(token.string)
        where = f"{name_of(path)}:{token.start[0]}"
        assert match, f"{where} names no rule"
        assert len(match["reason"].strip(" -:")) >= MIN_REASON, f"{where} gives no reason"


@pytest.mark.parametrize("exceptions", [LONG_FILES, LONG_FUNCTIONS, NO_MIRROR_TEST])
def test_an_exception_has_a_reason_and_something_to_except(exceptions: dict[str, str]) -> None:
    for entry, reason in exceptions.items():
        assert len(reason) >= MIN_REASON, f"{entry} gives no reason"
        assert (ROOT / entry.partition(":")[0]).exists(), f"{entry} is no more"


def test_the_lock_file_holds_public_addresses_and_hashes_alone() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    addresses = set(re.findall(r"[a-z+]+://[^/\"]+", lock))
    assert addresses == {"https://pypi.org", "https://files.pythonhosted.org"}
    for package in tomllib.loads(lock)["package"]:
        source = package["source"]
        assert source in ({"registry": "https://pypi.org/simple"}, {"editable": "."})
        for file in [*package.get("wheels", ()), package.get("sdist")]:
            assert file is None or file["hash"].startswith("sha256:")


def test_the_makefile_and_the_project_pin_the_same_uv() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (pinned,) = re.findall(r"^UV_VERSION := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"uv=={pinned}" in project["dependency-groups"]["dev"]
