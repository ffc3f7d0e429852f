"""Ctrl-C ends a script with one line, also while it still loads. Imports nothing that takes time to load.

if __name__ == "__main__":  # before the other imports
    interruption.guard_loading()
...
if __name__ == "__main__":
    interruption.run(main)
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

INTERRUPTED = 130  # the exit code of a shell's command that Ctrl-C has ended
# In every language that there is: neither settings nor catalogue may be loaded yet.
STOPPED = "stopped (arrêté)"


def guard_loading() -> None:
    """Let Ctrl-C end the process at once: nothing has been begun, and an import must not be left half-way."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: _end())


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script that is loaded, and exit with its code; it may have ways of its own to end a Ctrl-C."""
    try:
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = main()
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to be done
    except KeyboardInterrupt:
        _end()
    sys.exit(code)


def _end() -> NoReturn:
    os.write(2, f"\n{os.path.basename(sys.argv[0])}: {STOPPED}\n".encode())
    os._exit(INTERRUPTED)
