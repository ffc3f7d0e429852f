"""How build_csv.py, train_model.py and backtest.py end: their exit code, and what is said of a fault."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable

from marsshot.core.errors import MarsShotError


def run_script(name: str, work: Callable[[Namespace], None], arguments: Namespace, *, kept: str = "") -> int:
    """Do the work; return the exit code: 0 done, 1 could not do it or Ctrl-C, 2 wrong usage, settings or input file.

    arguments: config is the path of the settings, which name the language. kept: what Ctrl-C has not taken.
    """
    from marsshot.config.working_folder import folder_of_config  # noqa: PLC0415 - --help needs none of it

    with folder_of_config(arguments, arguments.config) as arguments.config:
        return _exit_code(name, work, arguments, kept)


def _exit_code(name: str, work: Callable[[Namespace], None], arguments: Namespace, kept: str) -> int:
    try:
        work(arguments)
    except KeyboardInterrupt:
        sys.stderr.write(f"{name}: interrupted; no file was changed{kept}\n")
        return 1
    except MarsShotError as error:
        from marsshot.config.loader import localized_error  # noqa: PLC0415 - --help needs none of it

        sys.stdout.flush()  # where both go to one file, the reason of a failure is its last line
        sys.stderr.write(f"{localized_error(error, arguments.config)}\n")
        return error.exit_code
    return 0
