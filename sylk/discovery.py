"""Finds the applications: installed ones by entry point, others in a folder of the operator's."""

import importlib.util
import sys
from collections.abc import Collection
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from sylk.application import Application
from sylk.errors import ConfigError

GROUP = "sylk.applications"

ApplicationTypes = dict[str, type[Application]]


def find_applications(
    extra_folder: Path | None, disabled: Collection[str] = ()
) -> ApplicationTypes:
    """Return the classes of all applications by name; the disabled ones are not even imported.

    In `extra_folder` each `NAME.py` or `NAME/__init__.py` that defines a subclass of Application
    counts. Raises ConfigError when one cannot be imported, or a name stands for two.
    """
    found: ApplicationTypes = {}
    for entry in sorted(entry_points(group=GROUP)):
        if entry.name in disabled:
            continue
        try:
            loaded: object = entry.load()
        except Exception as error:
            raise ConfigError(
                f"the application {entry.name!r} cannot be imported: {error!r}; "
                "mend it, or name it in disabled_applications",
                section="Server",
            ) from error
        if not (isinstance(loaded, type) and issubclass(loaded, Application)):
            raise ConfigError(
                f"the entry point {entry.name!r} ({entry.value}) is no Application",
                section="Server",
            )
        _add(found, loaded, entry.value, disabled)
    if extra_folder is not None:
        _add_folder(found, extra_folder, disabled)
    return found


def _add_folder(found: ApplicationTypes, folder: Path, disabled: Collection[str]) -> None:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder", section="Server", key="extra_applications_dir")
    for path in sorted(folder.iterdir()):
        source = path / "__init__.py" if path.is_dir() else path
        name = path.name if path.is_dir() else path.stem
        if source.suffix != ".py" or not source.is_file() or not name.isidentifier():
            continue
        if name in disabled:
            continue
        module = _import_file(name, source, is_package=path.is_dir())
        for value in list(vars(module).values()):
            if (
                isinstance(value, type)
                and issubclass(value, Application)
                and value.__module__ == module.__name__
            ):
                _add(found, value, str(source), disabled)


def _import_file(name: str, source: Path, *, is_package: bool) -> ModuleType:
    # A prefix of its own, so that no file can take the place of an installed module.
    module_name = f"sylk_extra_{name}"
    spec = importlib.util.spec_from_file_location(
        module_name,
        source,
        submodule_search_locations=[str(source.parent)] if is_package else None,
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise ConfigError(
            f"{source} cannot be imported: {error!r}",
            section="Server",
            key="extra_applications_dir",
        ) from error
    return module


def _add(
    found: ApplicationTypes,
    application: type[Application],
    origin: str,
    disabled: Collection[str],
) -> None:
    name = getattr(application, "name", None)
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{origin}: the application has no name", section="Server")
    if name in disabled:
        # It goes by another name than its entry point or file.
        return
    if name in found and found[name] is not application:
        raise ConfigError(f"{origin}: there is another application {name!r}", section="Server")
    found[name] = application
