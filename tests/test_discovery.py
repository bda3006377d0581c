"""How applications are found: installed ones, and files in a folder of the operator's."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sylk.application import Application
from sylk.discovery import find_applications
from sylk.errors import ConfigError

HEAD = "from sylk.application import Application\n"


@pytest.fixture(autouse=True)
def clean_modules() -> Iterator[None]:
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        if name.startswith("sylk_extra_"):
            del sys.modules[name]


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that is on the path, in which a distribution can be laid out."""
    folder = tmp_path / "installed"
    (folder / "stranger-1.0.dist-info").mkdir(parents=True)
    (folder / "stranger-1.0.dist-info" / "METADATA").write_text("Name: stranger\nVersion: 1.0\n")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.path.remove(str(folder))
    importlib.invalidate_caches()


def install(folder: Path, name: str, reference: str) -> None:
    (folder / "stranger-1.0.dist-info" / "entry_points.txt").write_text(
        f"[sylk.applications]\n{name} = {reference}\n"
    )


def an_application(name: str, class_name: str = "It") -> str:
    return f"class {class_name}(Application):\n    name = {name!r}\n"


def test_the_applications_of_this_project_are_found() -> None:
    found = find_applications(None)
    assert {"conference", "echo"} <= {*found}
    assert all(issubclass(kind, Application) for kind in found.values())


def test_a_disabled_application_is_not_there() -> None:
    assert "echo" not in find_applications(None, ["echo"])


def test_files_and_packages_of_a_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(HEAD + an_application("one"))
    package = tmp_path / "two"
    package.mkdir()
    (package / "__init__.py").write_text(HEAD + "from .inner import NAME\n" + an_application("2"))
    (package / "inner.py").write_text("NAME = 1\n")
    # None of these is one.
    (tmp_path / "notes.txt").write_text("no Python")
    (tmp_path / "not-a-name.py").write_text("raise RuntimeError")
    (tmp_path / "empty").mkdir()
    (tmp_path / "helper.py").write_text(HEAD + "from sylk_echo import Echo\nNAME = 1\n")
    found = find_applications(tmp_path)
    assert {*found} - {*find_applications(None)} == {"one", "2"}
    assert found["one"].__module__ == "sylk_extra_one"


def test_a_disabled_file_is_not_even_imported(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise RuntimeError")
    assert "bad" not in find_applications(tmp_path, ["bad"])


def test_an_application_is_disabled_by_its_name_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(HEAD + an_application("it"))
    assert "it" in find_applications(tmp_path)
    assert "it" not in find_applications(tmp_path, ["it"])


def refused(folder: Path, words: str) -> ConfigError:
    with pytest.raises(ConfigError, match=words) as caught:
        find_applications(folder)
    return caught.value


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    error = refused(tmp_path / "none", "is no folder")
    assert (error.section, error.key) == ("Server", "extra_applications_dir")


def test_a_file_that_cannot_be_imported_leaves_no_half_of_it(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("raise RuntimeError('oh')")
    error = refused(tmp_path, r"bad\.py cannot be imported: RuntimeError\('oh'\)")
    assert isinstance(error.__cause__, RuntimeError)
    assert "sylk_extra_bad" not in sys.modules


@pytest.mark.parametrize("name", ["name = ''", "name = 1", "pass"])
def test_an_application_without_a_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "it.py").write_text(HEAD + f"class It(Application):\n    {name}\n")
    refused(tmp_path, "has no name")


def test_two_applications_of_one_name(tmp_path: Path) -> None:
    (tmp_path / "it.py").write_text(HEAD + an_application("a", "A") + an_application("a", "B"))
    refused(tmp_path, "there is another application 'a'")
    (tmp_path / "it.py").write_text(HEAD + an_application("echo"))
    del sys.modules["sylk_extra_it"]
    refused(tmp_path, "there is another application 'echo'")


def test_one_application_under_two_names_in_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "it.py").write_text(HEAD + an_application("it") + "Same = It\n")
    assert "it" in find_applications(tmp_path)


def test_an_application_of_another_distribution_is_found(installed: Path) -> None:
    (installed / "stranger.py").write_text(HEAD + an_application("strange"))
    install(installed, "strange", "stranger:It")
    assert find_applications(None)["strange"].__module__ == "stranger"
    del sys.modules["stranger"]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("no_such_module:It", "'strange' cannot be imported"),
        ("sylk.errors:ConfigError", "is no Application"),
        ("sylk.errors", "is no Application"),
    ],
)
def test_an_entry_point_that_names_none(installed: Path, reference: str, words: str) -> None:
    install(installed, "strange", reference)
    with pytest.raises(ConfigError, match=words):
        find_applications(None)
    assert "strange" not in find_applications(None, ["strange"])
