"""What each worker keeps where, and how it follows their number."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sylk.application import Application
from sylk.spool import SpoolError
from sylk.worker_folders import COUNT_FILE, folder_of, last_count, spread


class Keeper(Application):
    """Writes down what it was asked to move."""

    name = "keeper"

    @classmethod
    def spread(cls, state_dirs: Sequence[Path], count: int) -> None:
        spool_dir = state_dirs[0].parent
        folders = [str(folder.relative_to(spool_dir)) for folder in state_dirs]
        (spool_dir / "asked").write_text(" ".join([str(count), *folders]))


class Failing(Application):
    name = "failing"

    @classmethod
    def spread(cls, state_dirs: Sequence[Path], count: int) -> None:
        raise OSError("no space left")


KEEPER: Mapping[str, type[Application]] = {"keeper": Keeper}


def asked(spool_dir: Path) -> str:
    """Return what was asked since the last call."""
    file = spool_dir / "asked"
    text = file.read_text() if file.exists() else ""
    file.unlink(missing_ok=True)
    return text


def test_the_first_worker_keeps_it_where_a_server_does_that_is_alone() -> None:
    folders = [str(folder_of(Path("spool"), index)) for index in range(3)]
    assert folders == ["spool", "spool/worker-1", "spool/worker-2"]


def test_what_is_kept_is_moved_when_the_number_changes(tmp_path: Path) -> None:
    spread(tmp_path, KEEPER, 1)
    assert asked(tmp_path) == ""
    assert not list(tmp_path.iterdir())
    spread(tmp_path, KEEPER, 3)
    assert asked(tmp_path) == "3 keeper worker-1/keeper worker-2/keeper"
    assert last_count(tmp_path) == 3
    spread(tmp_path, KEEPER, 3)
    assert asked(tmp_path) == ""
    # All that there were are looked into.
    spread(tmp_path, KEEPER, 1)
    assert asked(tmp_path) == "1 keeper worker-1/keeper worker-2/keeper"
    spread(tmp_path, KEEPER, 1)
    assert asked(tmp_path) == ""


def test_what_cannot_be_moved_is_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        spread(tmp_path, {"failing": Failing, **KEEPER}, 2)
        assert asked(tmp_path) == "2 keeper worker-1/keeper"
        assert last_count(tmp_path) == 1
    assert caplog.text.count("failing could not move what it keeps to 2 workers") == 2
    assert "no space left" in caplog.text


def test_an_application_that_keeps_nothing_is_asked_in_vain(tmp_path: Path) -> None:
    spread(tmp_path, {"plain": Application}, 2)
    assert last_count(tmp_path) == 2


@pytest.mark.parametrize("text", ["", "many", "0", "-1"])
def test_a_damaged_number_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / COUNT_FILE).write_text(text)
    with pytest.raises(SpoolError, match="write how many workers there were"):
        spread(tmp_path, KEEPER, 2)


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / COUNT_FILE).mkdir()
    with pytest.raises(SpoolError, match="cannot read"):
        spread(tmp_path, KEEPER, 2)
