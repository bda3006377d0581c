"""The sections of the server: every setting has a default that stands, a meaning and a unit."""

import pytest

from sylk.config import SERVER_SECTIONS
from sylk.sections import ServerSettings
from sylk.settings import Setting, settings_of

ALL_SETTINGS = [
    pytest.param(one, id=f"{name}.{one.name}")
    for name, section in SERVER_SECTIONS.items()
    for one in settings_of(section)
]


@pytest.mark.parametrize("one", ALL_SETTINGS)
def test_every_default_can_be_written_and_read(one: Setting) -> None:
    assert one.read(one.default_text) == one.default


@pytest.mark.parametrize("one", ALL_SETTINGS)
def test_every_setting_says_what_it_does(one: Setting) -> None:
    assert one.facts.meaning.endswith(".")


@pytest.mark.parametrize("one", ALL_SETTINGS)
def test_every_limit_has_a_unit(one: Setting) -> None:
    assert bool(one.facts.unit) == bool(one.bounds)


def test_a_section_stands_by_its_defaults() -> None:
    settings = ServerSettings()
    assert settings.default_application == "conference"
    assert settings.application_map == {"echo": "echo"}
