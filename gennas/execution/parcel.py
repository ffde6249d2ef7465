"""What a worker anywhere needs for its trials: the evaluator, and the code that is the user's, by value."""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import pickle
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from gennas.errors import ConfigError
from gennas.execution.imports import modules_named_in
from gennas.registry import user_files

if TYPE_CHECKING:
    from gennas.eval.base import Evaluator
    from gennas.execution.lease import Sign

__all__ = ["Parcel", "Source", "packed", "sources"]


@dataclass(frozen=True)
class Source:
    """A module of the user's: its name, where it was, its text, and whether it is a package."""

    name: str
    file: str
    text: str
    is_package: bool = False


@dataclass(frozen=True)
class Parcel:
    """Everything that is the same for all trials of a search.

    Args:
        digest: names it.
        evaluator: pickled.
        sources: the user's modules.
        isolated: evaluate in a process of its own below the worker.
        fresh: a new one for every trial, as memory of a GPU is free only when its process has ended.
        time_limit: seconds for one trial.
        memory_limit_gb: of the isolated process.
        lease: the sign of the driver's :class:`gennas.execution.lease.Lease`; None: what runs goes on.
        driver: its process.
    """

    digest: str
    evaluator: bytes
    sources: tuple[Source, ...] = ()
    isolated: bool = True
    fresh: bool = False
    time_limit: float | None = None
    memory_limit_gb: float | None = None
    lease: Sign | None = None
    driver: int = 0

    def open(self) -> Any:
        """The evaluator, in a process that need not have the user's files.

        Raises:
            Exception: whatever importing and unpickling raise.
        """
        _provide(self.sources)
        return pickle.loads(self.evaluator)  # the driver's own


def packed(evaluator: Evaluator, **settings: Any) -> Parcel:
    """A parcel of an evaluator.

    Args:
        evaluator: it may be defined anywhere where cloudpickle is installed, which Ray, dask and loky bring.
        **settings: fields of the parcel.

    Raises:
        ConfigError: it cannot be pickled.
    """
    try:
        content = _pickler().dumps(evaluator)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"The evaluator cannot be sent to a worker ({error}). Define it, its space and its data at the top level "
            "of a module or file, or use the serial executor."
        ) from error
    found = tuple(sources(content))
    digest = hashlib.blake2b(content + repr((found, sorted(settings.items()))).encode(), digest_size=12).hexdigest()
    return Parcel(digest, content, found, **settings)


def _pickler() -> Any:
    """The one that takes functions and classes of scripts and notebooks too, where it is installed."""
    try:
        import cloudpickle
    except ImportError:
        return pickle
    return cloudpickle


def sources(content: bytes) -> list[Source]:
    """Modules that a pickle needs and no other machine has: files given by path, and what lies beside the program.

    That is what was imported from the current folder and from the folder of the script, and what such modules import
    from there in turn; installed packages are not.
    """
    own = {source.name: source for source in _own()}
    # Whole names: a pickle that names mine_by_path says nothing of mine.
    waiting = [name for name in own if re.search(re.escape(name).encode() + rb"(?!\w)", content)]
    found: dict[str, Source] = {}
    while waiting:
        name = waiting.pop()
        if name in found or name not in own:
            continue
        found[name] = own[name]
        waiting.append(name.rpartition(".")[0])
        with suppress(SyntaxError):  # of another version of Python than its own: whoever imports it is told
            package = name if own[name].is_package else name.rpartition(".")[0]
            for module, parts in modules_named_in(own[name].text, package):
                waiting += [module, *(f"{module}.{part}" for part in parts)]
    return sorted(found.values(), key=lambda source: source.name)


def _own() -> Iterator[Source]:
    """The user's modules that are loaded."""
    given, places = set(user_files()), _places()
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py") or name == "__main__":
            continue
        if file in given or (name.partition(".")[0] not in _KNOWN and _is_below(Path(file), places)):
            text = "".join(linecache.getlines(file, vars(module)))
            if text or Path(file).is_file():  # an empty one, as of a package
                yield Source(name, file, text, hasattr(module, "__path__"))


_KNOWN = {"gennas", "__mp_main__"}
_INSTALLED = {"site-packages", "dist-packages"}


def _places() -> set[Path]:
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    found = {Path.cwd()} | ({Path(script).resolve().parent} if script else set())
    return {place for place in found if not _INSTALLED & set(place.parts)}


def _is_below(file: Path, places: set[Path]) -> bool:
    library = Path(linecache.__file__).parent  # of Python itself
    return (
        not _INSTALLED & set(file.parts)
        and library not in file.parents
        and any(place in file.parents for place in places)
    )


class _Provider(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports modules from their texts, where they are found nowhere else."""

    def __init__(self) -> None:
        self.known: dict[str, Source] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module that came in a parcel."""
        source = self.known.get(fullname)
        if source is None:
            return None
        spec = importlib.util.spec_from_loader(fullname, self, origin=source.file, is_package=source.is_package)
        if spec is not None:
            spec.has_location = True  # so that the module has its __file__
        return spec

    def get_source(self, fullname: str) -> str:
        """Its text, for tracebacks too."""
        return self.known[fullname].text

    def get_code(self, fullname: str) -> CodeType:
        """Its code, under the name of the file that it was on the driver's machine."""
        return compile(self.known[fullname].text, self.known[fullname].file, "exec", dont_inherit=True)


_provider = _Provider()


def _provide(found: Sequence[Source]) -> None:
    """Let the modules be imported; those that came before and have changed since are imported anew."""
    if _provider not in sys.meta_path:
        sys.meta_path.append(_provider)
    for source in found:
        module = sys.modules.get(source.name)
        came = module is not None and getattr(module, "__loader__", None) is _provider
        if came and _provider.known[source.name] != source:
            del sys.modules[source.name]
        _provider.known[source.name] = source
