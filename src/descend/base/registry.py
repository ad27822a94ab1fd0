"""A registry: the objects of one kind by name; each object holds everything about itself."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from threading import RLock
from typing import Protocol, TypeVar

from descend.base.errors import OptionError


class Named(Protocol):
    """An entry of a registry: an object, or a class, with a name."""

    @property
    def name(self) -> str:
        """The entry's name, the same in every language."""
        ...


Thing = TypeVar("Thing", bound=Named)
Added = TypeVar("Added", bound=Named)


class Registry(Mapping[str, Thing]):
    """The entries of one kind by name, in the order in which they were added.

    kind: a word for messages, such as "loss".
    packages: packages whose modules, except those with a leading _, add the entries. They are imported at the first
        access, and the entries are in the order of these modules. Without packages the module that defines the registry
        adds the entries.

    >>> from types import SimpleNamespace
    >>> shapes = Registry("shape")
    >>> round_one = shapes.add(SimpleNamespace(name="round"))
    >>> list(shapes), shapes["round"] is round_one
    (['round'], True)
    """

    def __init__(self, kind: str, *packages: str) -> None:
        self.kind = kind
        self._packages = packages
        self._things: dict[str, Thing] = {}
        self._lock = RLock()

    def add(self, thing: Added) -> Added:
        """Register an entry under its name and return it (usable as a decorator); raises ValueError for a duplicate."""
        if thing.name in self._things:
            raise ValueError(f"there is a {self.kind} named {thing.name} already")
        self._things[thing.name] = thing  # type: ignore[assignment]
        return thing

    def require(self, name: object, *others: str) -> Thing:
        """Return the entry of a name; raises OptionError (``option.KIND``) with the known names.

        others: names that are allowed besides, such as "auto", which the error lists first.
        """
        things = self._loaded()
        if isinstance(name, str) and name in things:
            return things[name]
        raise OptionError(f"option.{self.kind}", value=name, known=", ".join((*others, *things)))

    def _loaded(self) -> dict[str, Thing]:
        """Return the entries; threads that ask meanwhile wait until all are there."""
        with self._lock:
            packages, self._packages = self._packages, ()  # the modules may ask this registry while they are imported
            places: dict[str, int] = {}
            for package in packages:
                for module in pkgutil.iter_modules(import_module(package).__path__):
                    if not module.name.startswith("_"):
                        places[import_module(f"{package}.{module.name}").__name__] = len(places)
            if places:
                self._things = dict(sorted(self._things.items(), key=lambda item: places.get(item[1].__module__, -1)))
            return self._things

    def __getitem__(self, name: str) -> Thing:
        return self._loaded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())
