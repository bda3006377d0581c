"""The command `sylk-server trace` where no server has to run; the rest is in tests/end_to_end."""

from pathlib import Path

import pytest

from sylk.cli.trace import run


@pytest.fixture
def settings(tmp_path: Path) -> str:
    """The settings of a server that does not run."""
    file = tmp_path / "sylk.ini"
    file.write_text(f"[Server]\nspool_dir = {tmp_path}/spool\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("action", ["on", "off", "status"])
def test_without_a_server_one_line_says_so(
    settings: str, action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([action, "--config", settings]) == 1
    printed, complaint = capsys.readouterr()
    assert printed == ""
    assert complaint == (
        f"sylk-server trace: no server listens on {tmp_path}/spool/control.socket: start one, or "
        "name its settings with --config\n"
    )
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "required: on|off|status"),
        (["dance"], "invalid choice: 'dance'"),
        (["on", "--user", "a b"], "argument --user: must be an address such as"),
        (["on", "--room", ""], "argument --room: must be user:NAME@DOMAIN, room:NAME or"),
        (["on", "--address", "example.com"], "argument --address: must be an address or a network"),
        (["on", "--for", "soon"], "argument --for: must be a time such as 90s, 30m or 2h"),
        (["on", "--for", "0"], "argument --for: must be a time such as 90s, 30m or 2h"),
        (["on", "--for", "8d"], "argument --for: must be a time such as 90s, 30m or 2h, up to 7d"),
    ],
)
def test_a_wrong_command_is_told(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


def test_settings_that_are_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.ini"
    assert run(["status", "--config", str(missing)]) == 2
    assert capsys.readouterr().err == f"sylk-server trace: {missing}: there is no such file\n"


def test_the_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["on", "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for option in ("--user", "--room", "--address", "--for", "--pcap", "--config"):
        assert option in printed
