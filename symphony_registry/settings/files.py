"""The files of a configuration: which directory, and which of the files in it."""

from pathlib import Path

from symphony_registry.errors import ConfigurationError, Problem, hint
from symphony_registry.settings.variables import CONFIG_DIR, ENVIRONMENT

SHIPPED = Path(__file__).parent.parent / "config"
# What is chosen as the directory for the files that ship with the package.
CHOOSES_SHIPPED = ":shipped:"

_HERE = Path("config")
_ENDINGS = (".yaml", ".yml")
# The layers that are no environment, beside `<environment>.local`.
_SHARED = ("base", "local")
_OWN = ".local"
# The environment that local.yaml is not read for: a developer's own database is no place for the data of tests.
_TESTS = "test"


def chosen_directory(chosen: str | Path | None) -> Path:
    """Return the directory that was chosen, else config/ in the working directory."""
    if not chosen:
        return _HERE
    try:
        return SHIPPED if str(chosen) == CHOOSES_SHIPPED else Path(chosen).expanduser()
    except RuntimeError as error:
        raise _wrong(Path(chosen), f"{error}") from error


def environments(directory: Path) -> list[str]:
    """Return the names of the environments that a directory has files for, sorted."""
    return [name for name in sorted(_by_layer(directory)) if name not in _SHARED and not name.endswith(_OWN)]


def files_of(directory: Path, environment: str | None) -> tuple[Path, ...]:
    """Return the files to read, the lowest first.

    Raises `ConfigurationError` where there are none, where one that was named is
    missing, or where a layer has two.
    """
    known = _by_layer(directory)
    names = environments(directory)
    if environment is None and "base" not in known:
        message = f"there is no such file, and no environment was chosen. {hint('', names, 'Environments')}"
        raise _wrong(directory / "base.yaml", message)
    if environment is not None and environment not in names:
        message = f'there is no file for the environment "{environment}". {hint(environment, names)}'
        if environment in _SHARED or environment.endswith(_OWN):
            message = f'"{environment}" is a layer of environments, and none itself. {hint(environment, names)}'
        raise _wrong(directory / f"{environment}.yaml", message)
    own = [] if environment == _TESTS else ["local"]
    layers = ["base", *own] if environment is None else ["base", environment, *own, f"{environment}{_OWN}"]
    for name in layers:
        if len(known.get(name, ())) > 1:
            two = " and ".join(file.name for file in known[name])
            raise _wrong(directory, f"{two} are two files of one layer, of which one would be ignored. Remove one.")
    return tuple(file for name in layers for file in known.get(name, ()))


def unread_files() -> str | None:
    """Return a warning where the working directory has files that nobody asked for."""
    try:
        known = _by_layer(_HERE)
    except ConfigurationError:
        return None
    if "base" not in known:
        return None
    names = f" ({', '.join(there)})" if (there := environments(_HERE)) else ""
    return (
        f"{known['base'][0]} is not read, since no environment and no directory was chosen: there is one memory "
        f"backend of each type. Set {ENVIRONMENT}{names}, or {CONFIG_DIR}={_HERE} for base alone."
    )


def _by_layer(directory: Path) -> dict[str, list[Path]]:
    """Return the YAML files of a directory by the name of their layer."""
    try:
        files = sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        if directory.is_file():
            raise _wrong(directory, f"this is a file. Name its directory: {directory.parent}.") from None
        raise _wrong(
            directory, f"there is no such directory of configuration files{_how_to_choose(directory)}"
        ) from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise _wrong(directory, f"the directory of configuration files cannot be read: {said}.") from error
    found: dict[str, list[Path]] = {}
    for file in files:
        if file.suffix in _ENDINGS:
            found.setdefault(file.stem, []).append(file)
    return found


def _how_to_choose(directory: Path) -> str:
    if directory != _HERE:
        return f". {hint(directory, [CHOOSES_SHIPPED])}" if str(directory).startswith(":") else "."
    return (
        f" in the working directory ({working_directory()}). Choose one by {CONFIG_DIR}, write one by "
        f"symphony-registry init, or choose {CHOOSES_SHIPPED} for the files that ship with the package."
    )


def working_directory() -> str:
    """Return the working directory, for a message."""
    try:
        return str(Path.cwd())
    except OSError:
        return "which is gone"


def _wrong(place: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(place), (), message)])
