"""How the scripts beside main.py begin and end: their command line, their exit code, what is said of a fault."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence

from marsshot.core.catalog import Catalog, catalog_of
from marsshot.core.errors import MarsShotError


def read_arguments(argv: Sequence[str] | None, build: Callable[[Catalog], ArgumentParser]) -> Namespace:
    """Read a script's command line in the language of the settings that it names.

    argv: None for what was typed. build: makes the parser, its texts from the catalogue.
    """
    from marsshot.config.loader import language_of  # noqa: PLC0415 - heavy
    from marsshot.config.working_folder import named_config  # noqa: PLC0415
    from marsshot.infra.argparse_texts import argparse_in  # noqa: PLC0415

    given = sys.argv[1:] if argv is None else argv
    language = language_of(named_config(given))
    with argparse_in(language):
        return build(catalog_of(language)).parse_args(given)


def count_reader(catalog: Catalog) -> Callable[[str], int]:
    """Return what reads a whole number of an option, 1 or more."""

    def count(text: str) -> int:
        if not text.isdecimal() or int(text) < 1:
            raise ArgumentTypeError(catalog.text("script.needed.count", given=text))
        return int(text)

    return count


def run_script(name: str, work: Callable[[Namespace], None], arguments: Namespace, *, has_kept: bool = False) -> int:
    """Do the work; return the exit code: 0 done, 1 could not do it or Ctrl-C, 2 wrong usage, settings or input file.

    arguments: config is the path of the settings, which name the language. has_kept: what was fetched outlives Ctrl-C.
    """
    from marsshot.config.working_folder import folder_of_config  # noqa: PLC0415 - as above

    with folder_of_config(arguments, arguments.config) as arguments.config:
        return _exit_code(name, work, arguments, has_kept=has_kept)


def _exit_code(name: str, work: Callable[[Namespace], None], arguments: Namespace, *, has_kept: bool) -> int:
    try:
        work(arguments)
    except KeyboardInterrupt:
        from marsshot.config.loader import language_of  # noqa: PLC0415 - as above

        key = "fault.interrupted_kept" if has_kept else "fault.interrupted"
        sys.stderr.write(f"{catalog_of(language_of(arguments.config)).text(key, name=name)}\n")
        return 1
    except MarsShotError as error:
        from marsshot.config.loader import localized_error  # noqa: PLC0415 - as above

        sys.stdout.flush()  # where both go to one file, the reason of a failure is its last line
        sys.stderr.write(f"{localized_error(error, arguments.config)}\n")
        return error.exit_code
    return 0
