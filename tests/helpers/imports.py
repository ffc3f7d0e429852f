"""Reads what a module of ours imports, without importing it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.helpers.builders import PROGRAM, ROOT


def module_name(path: Path) -> str:
    """Return the name that the file is imported by."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in PROGRAM}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def nodes_of(module: str) -> tuple[ast.AST, ...]:
    """Return all nodes of a module's tree, as ast.walk yields them."""
    return tuple(ast.walk(tree_of(module)))


def imports_of(nodes: Iterator[ast.AST]) -> set[str]:
    """Return the dotted names that are imported: `a.b` and `a.b.c` of `from a.b import c`, as c may be a module."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@cache
def all_imports(module: str) -> frozenset[str]:
    """Return everything that a module imports, wherever in it, for its types too."""
    return frozenset(imports_of(iter(nodes_of(module))))


def imports_at_once(module: str) -> set[str]:
    """Return what is imported together with the module: not inside functions, and not for types alone."""
    return imports_of(iter(tree_of(module).body))
