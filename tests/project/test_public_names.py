"""Every public name is documented, and the package's own list of names is exact."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import ClassVar, get_origin

import pytest

import vtiger_async

PACKAGE = Path(vtiger_async.__file__).parent


def public_modules() -> list[str]:
    """Return the dotted names of all modules in which no part starts with an underscore."""
    names: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if not any(part.startswith("_") for part in parts):
            names.append(".".join(parts))
    return names


@cache
def documented_assignments() -> frozenset[str]:
    """Return every `NAME` and `Class.name` whose assignment is followed by a docstring."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        module = ast.parse(path.read_text(encoding="utf-8"))
        found.update(with_docstring(module.body))
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                found.update(f"{node.name}.{name}" for name in with_docstring(node.body))
    return frozenset(found)


def with_docstring(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that are assigned to, or annotated, right before a string."""
    for statement, following in pairwise(body):
        match following, statement:
            case (
                ast.Expr(value=ast.Constant(value=str())),
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
            ):
                yield name
            case _:
                pass


def public_names(module: ModuleType) -> list[str]:
    """Return `__all__`, or where there is none the public names that the module defines."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]


def section_names(docstring: str) -> set[str]:
    """Return the names that the docstring's Attributes and Args sections explain."""
    names: set[str] = set()
    inside = False
    for line in inspect.cleandoc(docstring).splitlines():
        if not line.startswith(" "):
            inside = line.strip() in ("Attributes:", "Args:")
        elif inside and (found := re.match(r" {4}(\w+)(?: \([^)]*\))?: \S", line)):
            names.add(found[1])
    return names


def undocumented_members(cls: type) -> Iterator[str]:
    """Yield what a public class leaves unexplained: methods, properties, and its own fields."""
    for name, member in vars(cls).items():
        called = inspect.isroutine(member) or isinstance(member, property)
        if called and not name.startswith("_") and not inspect.getdoc(getattr(cls, name)):
            yield f"{name}()"
    explained: set[str] = set()
    for base in cls.__mro__:
        explained |= section_names(base.__dict__.get("__doc__") or "")
        explained |= {
            name.partition(".")[2]
            for name in documented_assignments()
            if name.startswith(f"{base.__name__}.")
        }
    for name, kind in inspect.get_annotations(cls).items():
        constant = get_origin(kind) is ClassVar or str(kind).startswith(("ClassVar", "Final"))
        if not name.startswith("_") and not constant and name not in explained:
            yield name


def undocumented(module: ModuleType) -> Iterator[str]:
    """Yield the module's public names, and members of its classes, that have no docstring."""
    for name in public_names(module):
        value = getattr(module, name)
        if inspect.isclass(value):
            if not value.__dict__.get("__doc__"):
                yield name
            yield from (f"{name}.{member}" for member in undocumented_members(value))
        elif inspect.isroutine(value):
            if not inspect.getdoc(value):
                yield name
        elif name not in documented_assignments() and not name.startswith("__"):
            yield name


@pytest.mark.parametrize("name", public_modules())
def test_every_public_name_is_documented(name: str) -> None:
    """The module, its public names, their public members and fields: all have a docstring."""
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip()
    assert not list(undocumented(module))


def test_the_packages_names_resolve_and_are_sorted() -> None:
    """`__all__` lists names that exist, each once: constants, then classes, then functions."""

    def order(name: str) -> tuple[int, str]:
        if len(name) > 1 and name.isupper():
            return 0, name
        return (1 if name[0].isupper() else 2), name

    names = vtiger_async.__all__
    assert names == sorted(set(names), key=order)
    assert all(hasattr(vtiger_async, name) for name in names)


def test_every_error_is_public() -> None:
    """Whoever can catch an error can import it from the package itself."""
    from vtiger_async import errors

    assert set(errors.__all__) <= set(vtiger_async.__all__)
