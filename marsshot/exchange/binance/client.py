"""python-binance's plain client, and nothing of the package that the bot has no use for.

`binance/__init__.py` brings the asyncio client and the websockets with it, and `dateparser` comes for one function that
turns words into dates: together fifteen megabytes of a process that sleeps for days. So does the signing with RSA and
Ed25519 keys, where a Binance secret is signed with HMAC. All are imported lazily, when something of them is first used;
whatever asks gets the real thing.
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


def lazy_import(name: str) -> None:
    """Let the module be loaded when it is needed. Does nothing where it is loaded already or is not installed."""
    if name in sys.modules or (spec := find_spec(name)) is None:
        return
    module = LazyModule(name)
    module.__spec__ = spec
    # A package's modules are found through its path, and can be had without the package's own code.
    if spec.submodule_search_locations is not None:
        module.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = module


_SIGNING = ("Hash.SHA256", "PublicKey.ECC", "PublicKey.RSA", "Signature.eddsa", "Signature.pkcs1_15")
for _name in ("binance", "dateparser", *(f"Crypto.{part}" for part in _SIGNING)):
    lazy_import(_name)

from binance.client import Client  # noqa: E402 - after the lazy imports
from binance.exceptions import BinanceAPIException, BinanceRequestException  # noqa: E402

__all__ = ["BinanceAPIException", "BinanceRequestException", "Client"]
