"""What a typed line asks for: to say something, or one of the commands."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """How a command is written and what it does."""

    name: str
    arguments: str
    meaning: str
    least: int = 0
    """How many words it needs at least."""

    @property
    def usage(self) -> str:
        """The command as it is to be written."""
        return f"{self.name} {self.arguments}".rstrip()


_FORMS = (
    Form("/help", "", "show this"),
    Form("/quit", "", "leave; Ctrl-C and Ctrl-D leave too"),
    Form("//text", "", "say a line that begins with a slash"),
    Form("/who", "", "show who is here"),
    Form("/nick", "[NAME]", "be called NAME here; without one, by your own name again"),
    Form("/msg", "NAME TEXT", "say something to one person alone", 2),
    Form("/reply", "TEXT", "say something to who has last said something to you alone", 1),
    Form("/invite", "ADDRESS", "bring somebody in", 1),
    Form("/kick", "NAME", "put somebody out", 1),
    Form("/ban", "NAME [TIME]", "put somebody out, and keep him out: 30m, 2h, 7d", 1),
    Form("/unban", "ADDRESS", "let somebody come back", 1),
    Form("/mute", "NAME [TIME]", "let somebody only listen", 1),
    Form("/unmute", "NAME", "let somebody speak again", 1),
    Form("/lock", "", "let nobody else in"),
    Form("/unlock", "", "let others in again"),
    Form("/subject", "[TEXT]", "say what the room is about"),
    Form("/history", "[NUMBER]", "show what was said before; with more, what was before that"),
)
FORMS = {form.name: form for form in _FORMS}
"""The commands by their names."""


def help_lines() -> list[str]:
    """Return what `/help` shows."""
    width = max(len(form.usage) for form in _FORMS)
    return [
        "What you type is said to everybody here. Commands:",
        *(f"  {form.usage:{width}}  {form.meaning}" for form in _FORMS),
        "Arrow keys bring back what you typed before, Tab completes names and commands.",
    ]


@dataclass(slots=True)
class Say:
    """Say this."""

    text: str


@dataclass(slots=True)
class Order:
    """Carry out a command of FORMS; `rest` is what stands behind it."""

    name: str
    rest: str = ""


@dataclass(slots=True)
class Help:
    """Show the commands."""


@dataclass(slots=True)
class Quit:
    """Leave."""


@dataclass(slots=True)
class Wrong:
    """There is no such command, or it is written in another way."""

    complaint: str


def interpret(line: str) -> Say | Order | Help | Quit | Wrong | None:
    """Return what `line` asks for; None when it is blank."""
    text = line.rstrip()
    if not text.strip():
        return None
    if not text.startswith("/"):
        return Say(text)
    if text.startswith("//"):
        return Say(text[1:])
    command, _, rest = text.partition(" ")
    form = FORMS.get(command.lower())
    rest = rest.strip()
    if form is None:
        return Wrong(f"{command} is no command. Type /help for the commands.")
    if form.name == "/help":
        return Help()
    if form.name == "/quit":
        return Quit()
    if len(rest.split()) < form.least:
        return Wrong(f"Write {form.usage}")
    return Order(form.name, rest)
