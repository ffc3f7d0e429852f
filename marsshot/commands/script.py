"""How build_csv.py, train_model.py and backtest.py end: their exit code, and what is said of a fault."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable

from marsshot.core.errors import MarsShotError


def run_script(name: str, work: Callable[[Namespace], None], arguments: Namespace, *, has_kept: bool = False) -> int:
    """Do the work; return the exit code: 0 done, 1 could not do it or Ctrl-C, 2 wrong usage, settings or input file.

    arguments: config is the path of the settings, which name the language. has_kept: what was fetched outlives Ctrl-C.
    """
    from marsshot.config.working_folder import folder_of_config  # noqa: PLC0415 - --help needs none of it

    with folder_of_config(arguments, arguments.config) as arguments.config:
        return _exit_code(name, work, arguments, has_kept=has_kept)


def _exit_code(name: str, work: Callable[[Namespace], None], arguments: Namespace, *, has_kept: bool) -> int:
    try:
        work(arguments)
    except KeyboardInterrupt:
        from marsshot.config.loader import language_of  # noqa: PLC0415 - --help needs none of it
        from marsshot.core.catalog import catalog_of  # noqa: PLC0415

        key = "fault.interrupted_kept" if has_kept else "fault.interrupted"
        sys.stderr.write(f"{catalog_of(language_of(arguments.config)).text(key, name=name)}\n")
        return 1
    except MarsShotError as error:
        from marsshot.config.loader import localized_error  # noqa: PLC0415 - --help needs none of it

        sys.stdout.flush()  # where both go to one file, the reason of a failure is its last line
        sys.stderr.write(f"{localized_error(error, arguments.config)}\n")
        return error.exit_code
    return 0
