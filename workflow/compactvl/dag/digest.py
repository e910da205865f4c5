"""A digest of the source code a job runs, for Snakemake's ``params``: it does not see imported modules.

The digest of a module covers it, every module of the package it imports, transitively, and the locked version of every
other package that any of them imports. It is found by reading, never by importing: imports inside functions count, dynamic
imports and those for type checkers do not. Comments, docstrings and layout do not count, nor does code that computes no
outcome (:data:`WITHOUT_EFFECT`): what draws the DAG, keeps the books or speaks to the user makes nothing run again.
"""

import ast
import hashlib
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGE = "compactvl"
ROOT = Path(__file__).parents[1]
LOCKS = ROOT.parents[1] / "envs"
WITHOUT_EFFECT = (
    "cli", "command", "dag", "records", "files", "errors", "logs", "progress",
    "config.base", "config.encoders", "config.kinds", "config.overlay", "config.references", "config.weights",
)  # fmt: skip
"""Modules, and rooms, of the package. What they read and refuse is settings and files, which are inputs of their own."""
DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml", "open_clip": "open-clip-torch"}
"""Packages that are imported by another name than they are installed by."""
PACKAGES_WITHOUT_EFFECT = {"pydantic", "pyyaml", "tqdm"}


def source_digest(entries: Iterable[str | Path], root: Path = ROOT, package: str = PACKAGE, locks: Path = LOCKS) -> str:
    """Return 16 hexadecimal digits over everything the entries run.

    Args:
        entries: modules; or the path of a script, whose imports count but not its own text.
        root: folder of the package.
        package: the package's import name.
        locks: folder of the lock files.

    Raises:
        ModuleNotFoundError: an entry is not in the package.
    """
    pieces, imported = covered(entries, root, package)
    versions = locked_versions(locks)
    pieces = pieces | {name: versions[name] for name in imported if name in versions}
    text = "\n".join(f"{name}\t{digest}" for name, digest in sorted(pieces.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def covered(
    entries: Iterable[str | Path], root: Path = ROOT, package: str = PACKAGE
) -> tuple[dict[str, str], set[str]]:
    """Return what :func:`source_digest` is over: module → its digest, and the other packages, as the locks name them."""
    return _closure(tuple(sorted(set(entries), key=str)), root, package)


def imports_of(module: str, root: Path = ROOT, package: str = PACKAGE) -> list[str]:
    """Return the modules of the package that a module imports itself, those for type checkers left out, sorted."""
    names = _imports(_load(module, root, package), root, package)
    return sorted({name for name in names if _load(name, root, package)})


@cache
def locked_versions(locks: Path = LOCKS) -> dict[str, str]:
    """Return package → version of the lock files the pipeline runs with; empty where there are none."""
    versions: dict[str, str] = {}
    for path in (locks / "requirements-torch.lock", locks / "requirements.lock"):
        if path.is_file():
            versions |= re.findall(
                r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", path.read_text(encoding="utf-8"), re.MULTILINE
            )
    return versions


@dataclass(frozen=True)
class _Module:
    name: str
    path: Path
    tree: ast.Module
    digest: str


@cache
def _closure(entries: tuple[str | Path, ...], root: Path, package: str) -> tuple[dict[str, str], set[str]]:
    """Map every module the entries reach to its digest; and name the other packages these import."""
    pieces: dict[str, str] = {}
    others: set[str] = set()
    waiting: list[str] = []
    for entry in entries:
        if isinstance(entry, Path):
            script = _Module("", entry, ast.parse(entry.read_text(encoding="utf-8"), str(entry)), "")
            waiting += _imports(script, root, package)
            others |= _other_packages(script.tree, package)
        elif _load(entry, root, package) is None:
            raise ModuleNotFoundError(f"{entry} is not a module of {package}")
        else:
            waiting.append(entry)
    while waiting:
        name = waiting.pop()
        module = _load(name, root, package)
        if name in pieces or module is None or _without_effect(name):
            continue
        pieces[name] = module.digest
        waiting += _imports(module, root, package)
        others |= _other_packages(module.tree, package)
    return pieces, others


def _without_effect(name: str) -> bool:
    inner = name.partition(".")[2]
    return any(inner == one or inner.startswith(f"{one}.") for one in WITHOUT_EFFECT)


@cache
def _load(name: str, root: Path, package: str) -> _Module | None:
    parts = name.split(".")
    if parts[0] != package:
        return None
    folder = root.joinpath(*parts[1:])
    for path in (folder / "__init__.py", folder.with_suffix(".py")):
        if path.is_file():
            tree = _what_runs(ast.parse(path.read_text(encoding="utf-8"), str(path)))
            return _Module(name, path, tree, hashlib.sha256(ast.dump(tree).encode()).hexdigest())
    return None


def _what_runs(tree: ast.Module) -> ast.Module:
    """Take out docstrings, and what only type checkers read."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        node.body = [one for one in body if not _for_type_checkers(one)]
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return tree


def _for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def _imports(module: _Module, root: Path, package: str) -> set[str]:
    """Return the package's modules that a module imports, by full name."""
    found = set()
    parents = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == package}
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            target = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if target.split(".")[0] == package:
                for alias in node.names:
                    submodule = f"{target}.{alias.name}"
                    found.add(submodule if _load(submodule, root, package) else target)
    return found


@cache
def _other_packages(tree: ast.AST, package: str) -> set[str]:
    """Return the installed packages that ``tree`` imports, as they are named in the locks."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    names -= {package, *sys.stdlib_module_names}
    return {DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in names} - PACKAGES_WITHOUT_EFFECT
