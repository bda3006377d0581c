"""The server from its wheel, beside an application of somebody else's, also from its wheel.

No network is needed: the wheels are built with the tools of the environment that runs the tests,
and what they depend on is copied from there.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

from tests.end_to_end.server import HOST, RunningServer
from tests.end_to_end.wire_client import WireClient

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "shouting"
version = "1.0"
dependencies = ["sylk"]

[project.entry-points."sylk.applications"]
shouting = "shouting:Shouting"
"""

SHOUTING = '''\
"""Says everything loudly."""

from dataclasses import dataclass

from sylk.application import Application
from sylk.session import Invitation
from sylk.settings import setting


@dataclass(frozen=True, kw_only=True)
class ShoutingSettings:
    mark: str = setting("!", "What every message ends with.")


class Shouting(Application):
    name = "shouting"
    settings_class = ShoutingSettings

    async def handle_invitation(self, invitation: Invitation) -> None:
        async with invitation.accept() as chat:
            async for message in chat:
                await chat.send(message.text.upper() + self.settings.mark)
'''


def build_wheel(source: Path, folder: Path, cache: Path) -> Path:
    """Build the wheel of a project and return its path."""
    uv = Path(sys.executable).parent / "uv"
    before = set(folder.glob("*.whl"))
    done = subprocess.run(
        [
            *(str(uv), "build", "--wheel", "--no-build-isolation", "--offline"),
            *("--python", sys.executable, "--out-dir", str(folder), str(source)),
        ],
        cwd=folder,
        # The build tool needs only what the environment of the tests holds.
        env={**os.environ, "UV_CACHE_DIR": str(cache), "UV_NO_CONFIG": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = set(folder.glob("*.whl")) - before
    return wheel


def dependencies(name: str, seen: set[str]) -> Iterator[Distribution]:
    """Yield what a distribution depends on, here and in turn, without its extras."""
    for requirement in distribution(name).requires or []:
        match = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert match is not None
        needed = match[0].lower().replace("_", "-")
        if "extra ==" in requirement or needed in seen:
            continue
        seen.add(needed)
        try:
            found = distribution(needed)
        except ModuleNotFoundError:
            continue  # It is for another platform or an older Python.
        yield found
        yield from dependencies(needed, seen)


def copy_dependencies(name: str, site_packages: Path) -> None:
    """Copy what `name` depends on into a fresh environment."""
    for needed in dependencies(name, {name}):
        for file in needed.files or []:
            source = Path(str(needed.locate_file(file)))
            if ".." in file.parts or file.suffix == ".pyc" or not source.is_file():
                continue
            target = site_packages / Path(*file.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both wheels, install them into a fresh environment, and return its bin folder."""
    folder = tmp_path_factory.mktemp("wheel")
    project = folder / "shouting"
    (project / "shouting").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (project / "shouting" / "__init__.py").write_text(SHOUTING, encoding="utf-8")
    wheels = folder / "wheels"
    wheels.mkdir()
    built = [build_wheel(source, wheels, folder / "cache") for source in (ROOT, project)]
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    copy_dependencies("sylk", site_packages)
    uv = Path(sys.executable).parent / "uv"
    python = environment / "bin" / "python"
    subprocess.run(
        [
            *(str(uv), "pip", "install", "--quiet", "--offline", "--no-deps"),
            *("--python", str(python), *map(str, built)),
        ],
        env={**os.environ, "UV_CACHE_DIR": str(folder / "cache"), "UV_NO_CONFIG": "1"},
        cwd=folder,
        check=True,
        timeout=120,
    )
    return environment / "bin"


def test_the_wheel_serves_with_a_foreign_application(installed: Path, tmp_path: Path) -> None:
    settings = {
        "Server": {"application_map": "loud:shouting, echo:echo"},
        "Shouting": {"mark": "?"},
    }
    server = RunningServer(tmp_path / "empty", settings, installed / "sylk-server")
    try:
        assert "applications: conference, echo, shouting" in server.log
        with (
            WireClient(server, "alice", room=f"loud@{HOST}") as alice,
            WireClient(server, "bob", room=f"echo@{HOST}", transport="tcp") as bob,
            WireClient(server, "carol") as carol,
        ):
            for client in (alice, bob, carol):
                client.join()
            alice.say("hello")
            assert alice.hear_all().text == "HELLO?"
            bob.say("hello")
            assert bob.hear_all().text == "hello"
            assert carol.hear_all().text.startswith("Welcome!")
            for client in (alice, bob, carol):
                client.leave()
        server.stop()
    finally:
        server.kill()


def ask_python(installed: Path, code: str) -> list[str]:
    """Run a line of Python in the fresh environment and return the lines that it prints."""
    done = subprocess.run(
        [str(installed / "python"), "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_the_wheel_holds_the_server_and_its_applications_alone(installed: Path) -> None:
    (origin,) = ask_python(installed, "import sylk; print(sylk.__file__)")
    assert Path(origin).is_relative_to(installed.parent)
    files = ask_python(
        installed,
        "from importlib.metadata import files; print(*files('sylk'), sep='\\n')",
    )
    tops = {line.partition("/")[0] for line in files if "/" in line}
    tops = {top for top in tops if not top.endswith(".dist-info") and top != ".."}
    assert tops == {"sylk", "sylk_conference", "sylk_echo"}
