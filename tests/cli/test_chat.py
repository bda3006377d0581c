from pathlib import Path

import pytest

from sylk import __version__
from sylk.cli.chat import main


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["sip:lobby"], "write sip:ROOM@HOST"),
        (["sip:a b@example.com"], "write sip:USER@HOST"),
        ([], "or --browse"),
        (["lobby@example.com", "--timeout", "soon"], "number of seconds"),
        (["lobby@example.com", "--transport", "sctp"], "sctp"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sylk-chat: ")
    assert complaint in line


@pytest.mark.parametrize(
    ("option", "text"), [("--version", __version__), ("--help", "exit status")]
)
def test_what_it_tells_of_itself(
    capsys: pytest.CaptureFixture[str], option: str, text: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([option])
    assert ended.value.code == 0
    assert text in capsys.readouterr().out


CALL = ["lobby@127.0.0.1:9", "--from", "alice@example.com"]


@pytest.mark.parametrize(
    ("content", "arguments", "complaint"),
    [
        (b"secret", CALL[:1], "needs --from"),
        (b"secret", [*CALL[:2], "example.com"], "needs --from"),
        (None, CALL, "cannot read"),
        (b"", CALL, "must be a password"),
        (b"\nsecret\n", CALL, "must be a password"),
        (b"x" * 1025, CALL, "must be a password"),
        (b"\xff\n", CALL, "no UTF-8"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_told(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: bytes | None,
    arguments: list[str],
    complaint: str,
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--password-file", str(file)])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
