import pytest

from sylk.cli.commands import Help, Quit, Say, Unknown, interpret


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("hello", Say("hello")),
        ("  indented", Say("  indented")),
        ("trailing  ", Say("trailing")),
        ("and / or", Say("and / or")),
        ("//help", Say("/help")),
        ("/help", Help()),
        ("/HELP me", Help()),
        ("/quit", Quit()),
        ("/quit ", Quit()),
        ("/quitter", Unknown("/quitter")),
        ("/", Unknown("/")),
        ("", None),
        ("   ", None),
    ],
)
def test_what_a_line_asks_for(line: str, meaning: object) -> None:
    assert interpret(line) == meaning
