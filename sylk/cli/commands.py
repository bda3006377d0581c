"""What a typed line asks for: to say something, or one of the commands."""

from dataclasses import dataclass

HELP = (
    "What you type is said to everybody here. Commands:",
    "  /help   show this",
    "  /quit   leave; Ctrl-C and Ctrl-D leave too",
    "  //text  say a line that begins with a slash",
    "Arrow keys bring back what you typed before.",
)


@dataclass(slots=True)
class Say:
    """Say this."""

    text: str


@dataclass(slots=True)
class Help:
    """Show the commands."""


@dataclass(slots=True)
class Quit:
    """Leave."""


@dataclass(slots=True)
class Unknown:
    """There is no such command."""

    command: str


def interpret(line: str) -> Say | Help | Quit | Unknown | None:
    """Return what `line` asks for; None when it is blank."""
    text = line.rstrip()
    if not text.strip():
        return None
    if not text.startswith("/"):
        return Say(text)
    if text.startswith("//"):
        return Say(text[1:])
    command = text.split(maxsplit=1)[0]
    match command.lower():
        case "/help":
            return Help()
        case "/quit":
            return Quit()
        case _:
            return Unknown(command)
