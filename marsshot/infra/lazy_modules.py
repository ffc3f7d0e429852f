"""Modules that are loaded when something of them is first used: what the bot seldom needs costs no memory until then.

Whatever asks gets the real thing.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """Stands where a module will be: loads it when something of it is used for the first time."""

    def __getattr__(self, name: str) -> Any:
        """Load the module, take its place, and return what was asked for. Called for what is not there yet only."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = import_module(self.__name__)
        # Its modules that were loaded before it: only their loading would have made them its attributes.
        vars(real).update({part: module for part, module in vars(self).items() if isinstance(module, ModuleType)})
        vars(self).update(vars(real))
        return getattr(real, name)


def lazy_import(name: str, **known: str) -> None:
    """Let the module be loaded when it is needed. Does nothing where it is loaded already or is not installed.

    known: attributes that are told without loading it.
    """
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = LazyModule(name)
    vars(module).update(known)
    module.__spec__ = spec
    # A package's modules are found through its path, and can be had without the package's own code.
    if spec.submodule_search_locations is not None:
        module.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = module
