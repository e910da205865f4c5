"""A digest of the source code a stage runs, for Snakemake's ``params``: it does not see imported modules.

The digest of an entry point ``module:function`` (or ``module:Class.method``) covers the definitions of that module
the function uses, every module of the package these import, transitively, and the locked version of every other
package that any of them imports. It is found by reading, never by importing: imports inside functions count, dynamic
imports do not. Comments, docstrings and layout do not count.
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
DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml", "open_clip": "open-clip-torch"}
"""Packages that are imported by another name than they are installed by."""
WITHOUT_EFFECT = {"pydantic", "pyyaml", "tqdm"}
"""They read settings, which are inputs of their own, or draw progress bars."""


def source_digest(entries: Iterable[str | Path], root: Path = ROOT, package: str = PACKAGE, locks: Path = LOCKS) -> str:
    """Return 16 hexadecimal digits over everything the entry points run.

    Args:
        entries: ``module`` (all of it), ``module:function`` or ``module:Class.method``; or the path of a script,
            whose imports count but not its own text.
        root: folder of the package.
        package: the package's import name.
        locks: folder of the lock files.

    Raises:
        ModuleNotFoundError: an entry's module is not in the package.
        LookupError: an entry's function is not in its module.
    """
    pieces, imported = _closure(_ordered(entries), root, package)
    versions = locked_versions(locks)
    pieces = pieces | {name: versions[name] for name in imported if name in versions}
    text = "\n".join(f"{name}\t{digest}" for name, digest in sorted(pieces.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def packages_of(entries: Iterable[str | Path], root: Path = ROOT, package: str = PACKAGE) -> list[str]:
    """Return the other packages the entry points compute with, as they are named in the locks, sorted."""
    return sorted(_closure(_ordered(entries), root, package)[1])


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


def modules_of(entries: Iterable[str | Path], root: Path = ROOT, package: str = PACKAGE) -> list[str]:
    """Return the names of the modules :func:`source_digest` covers, sorted."""
    return sorted({name.split(":")[0] for name in _closure(_ordered(entries), root, package)[0]})


def _ordered(entries: Iterable[str | Path]) -> tuple[str | Path, ...]:
    return tuple(sorted(set(entries), key=str))


@dataclass(frozen=True)
class _Module:
    name: str
    path: Path
    tree: ast.Module
    digest: str


@cache
def _closure(entries: tuple[str | Path, ...], root: Path, package: str) -> tuple[dict[str, str], set[str]]:
    """Map every piece of source the entries reach to its digest; and name the other packages these import."""
    pieces: dict[str, str] = {}
    others: set[str] = set()
    waiting: list[str] = []
    for entry in entries:
        if isinstance(entry, Path):
            script = _Module("", entry, ast.parse(entry.read_text(encoding="utf-8"), str(entry)), "")
            waiting.extend(_imports(script.tree, script, root, package))
            others |= _other_packages(script.tree, package)
            continue
        name, _, function = entry.partition(":")
        module = _load(name, root, package)
        if module is None:
            raise ModuleNotFoundError(f"{name} is not a module of {package}")
        if not function:
            waiting.append(name)
            continue
        nodes = _used_definitions(module, function)
        pieces[entry] = hashlib.sha256("".join(ast.dump(node) for node in nodes).encode()).hexdigest()
        for node in nodes:
            waiting.extend(_imports(node, module, root, package))
            others |= _other_packages(node, package)
    while waiting:
        name = waiting.pop()
        if name in pieces:
            continue
        module = _load(name, root, package)
        if module is None:
            continue
        pieces[name] = module.digest
        waiting.extend(_imports(module.tree, module, root, package))
        others |= _other_packages(module.tree, package)
    return pieces, others


@cache
def _load(name: str, root: Path, package: str) -> _Module | None:
    parts = name.split(".")
    if parts[0] != package:
        return None
    folder = root.joinpath(*parts[1:])
    for path in (folder / "__init__.py", folder.with_suffix(".py")):
        if path.is_file():
            tree = _without_docstrings(ast.parse(path.read_text(encoding="utf-8"), str(path)))
            return _Module(name, path, tree, hashlib.sha256(ast.dump(tree).encode()).hexdigest())
    return None


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) or not body:
            continue
        first = body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            del body[0]
    return tree


def _imports(tree: ast.AST, module: _Module, root: Path, package: str) -> list[str]:
    """Return the package's modules that ``tree`` imports, by full name."""
    found = []
    parents = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] == package]
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) - node.level + 1] if node.level else []
            target = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if target.split(".")[0] != package:
                continue
            for alias in node.names:
                submodule = f"{target}.{alias.name}"
                found.append(submodule if _load(submodule, root, package) else target)
    return found


def _other_packages(tree: ast.AST, package: str) -> set[str]:
    """Return the installed packages that ``tree`` imports, as they are named in the locks."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    names -= {package, *sys.stdlib_module_names}
    return {DISTRIBUTIONS.get(name, name).lower().replace("_", "-") for name in names} - WITHOUT_EFFECT


def _used_definitions(module: _Module, function: str) -> list[ast.AST]:
    """Return the function's node and the module's statements it uses, transitively, in a stable order."""
    owner, _, method = function.rpartition(".")
    bound: dict[str, ast.stmt] = {}
    for statement in module.tree.body:
        for name in _bound_names(statement):
            bound[name] = statement
    members: dict[str, ast.AST] = {}
    if owner:
        class_node = bound.get(owner)
        if not isinstance(class_node, ast.ClassDef):
            raise LookupError(f"{module.name} has no class {owner}")
        for statement in class_node.body:
            for name in _bound_names(statement):
                members[name] = statement
    start = members.get(method) if owner else bound.get(method)
    if start is None:
        raise LookupError(f"{module.name} has no {function}")
    used: list[ast.AST] = []
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node in used:
            continue
        used.append(node)
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and child.id in bound and child.id != owner:
                waiting.append(bound[child.id])
            elif _is_own_attribute(child) and child.attr in members:
                waiting.append(members[child.attr])
    return sorted(used, key=lambda node: node.lineno)


def _is_own_attribute(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


def _bound_names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).split(".")[0] for alias in statement.names]
    if isinstance(statement, ast.Assign):
        return [node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    if isinstance(statement, ast.If | ast.Try):
        return [name for child in statement.body for name in _bound_names(child)]
    return []
