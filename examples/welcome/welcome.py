"""Welcomes whoever calls, tells which rooms there are, and remembers who has been here before.

application_map = welcome:welcome
"""

from dataclasses import dataclass
from pathlib import Path

from sylk.application import Application
from sylk.session import Invitation
from sylk.settings import setting


@dataclass(frozen=True, kw_only=True)
class WelcomeSettings:
    """The [Welcome] section."""

    text: str = setting("Welcome!", "What newcomers are told.", restart=False)
    rooms: tuple[str, ...] = setting(
        ("lobby",), "The rooms that are recommended to them.", restart=False
    )


class Welcome(Application):
    """Says a few words to each caller, and ends the call."""

    name = "welcome"
    settings_class = WelcomeSettings
    settings: WelcomeSettings

    async def handle_invitation(self, invitation: Invitation) -> None:
        """Greet the caller."""
        caller = invitation.sender.uri
        is_known = caller in self._known()
        async with invitation.accept() as chat:
            text = "Welcome back!" if is_known else self.settings.text
            await chat.send(f"{text} Rooms here: {', '.join(self.settings.rooms)}")
        if not is_known and self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"{caller}\n")

    @property
    def _file(self) -> Path | None:
        return None if self.state_dir is None else self.state_dir / "visitors"

    def _known(self) -> set[str]:
        if self._file is None or not self._file.exists():
            return set()
        return set(self._file.read_text(encoding="utf-8").splitlines())
