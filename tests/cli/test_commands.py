import pytest

from sylk.cli.commands import FORMS, Help, Order, Quit, Say, Wrong, help_lines, interpret

NO_COMMAND = "is no command. Type /help for the commands."


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
        ("/quitter", Wrong(f"/quitter {NO_COMMAND}")),
        ("/", Wrong(f"/ {NO_COMMAND}")),
        ("", None),
        ("   ", None),
        ("/who", Order("/who")),
        ("/Nick Ali B", Order("/nick", "Ali B")),
        ("/nick", Order("/nick")),
        ("/msg Bob  hello there ", Order("/msg", "Bob  hello there")),
        ("/msg Bob", Wrong("Write /msg NAME TEXT")),
        ("/kick", Wrong("Write /kick NAME")),
        ("/ban Bob 2h", Order("/ban", "Bob 2h")),
        ("/subject", Order("/subject")),
    ],
)
def test_what_a_line_asks_for(line: str, meaning: object) -> None:
    assert interpret(line) == meaning


def test_every_command_is_in_the_help() -> None:
    text = "\n".join(help_lines())
    assert all(form.usage in text and form.meaning in text for form in FORMS.values())
