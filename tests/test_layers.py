"""Imports point downwards only, those inside functions too."""

import pytest

from compactvl.dag.digest import ROOT, imports_of

LEVELS = (
    {"command", "errors", "files", "logs", "progress", "__init__"},
    {"config", "records"},
    {"nn", "vision", "text", "data"},
    {"training", "evaluation", "reporting"},
    {"studies"},
    {"dag"},
    {"cli"},
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def modules() -> list[str]:
    """Every module of the package by its full name."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py"))
    return sorted(".".join(["compactvl", *path.parts]).removesuffix(".__init__") for path in paths)


def room(module: str) -> str:
    """A study's commands are of the command line, though its folder holds them."""
    return "cli" if module.endswith(".commands") else [*module.split("."), "__init__"][1]


def test_every_room_has_its_place():
    assert {room(module) for module in modules()} <= LEVEL.keys()


@pytest.mark.parametrize("name", [name for rooms in LEVELS for name in sorted(rooms)])
def test_imports_point_downwards(name):
    upwards = [
        f"{module} imports {other}"
        for module in modules()
        if room(module) == name
        for other in imports_of(module)
        if LEVEL[room(other)] > LEVEL[name]
    ]
    assert upwards == []
