"""python-binance's plain client, and nothing of the package that the bot has no use for.

`binance/__init__.py` brings the asyncio client and the websockets with it, and `dateparser` comes for one function that
turns words into dates: together fifteen megabytes of a process that sleeps for days. So does the signing with RSA and
Ed25519 keys, where a Binance secret is signed with HMAC. All are loaded when something of them is first used.
"""

from __future__ import annotations

from marsshot.infra.lazy_modules import lazy_import

_SIGNING = ("Hash.SHA256", "PublicKey.ECC", "PublicKey.RSA", "Signature.eddsa", "Signature.pkcs1_15")
for _name in ("binance", "dateparser", *(f"Crypto.{part}" for part in _SIGNING)):
    lazy_import(_name)

from binance.client import Client  # noqa: E402 - after the lazy imports
from binance.exceptions import BinanceAPIException, BinanceRequestException  # noqa: E402

__all__ = ["BinanceAPIException", "BinanceRequestException", "Client"]
