"""Names, tags and groups of the emoji, from the package emojibase-data (Unicode CLDR)."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compactvl.data.members import read_member
from compactvl.errors import UserError


@dataclass(frozen=True)
class Emoji:
    """One emoji without its skin tones.

    Attributes:
        code: lower-case code points joined by ``-``, without the variation selector U+FE0F.
        label: CLDR short name in English.
        tags: CLDR keywords in English.
        group, subgroup: keys of Unicode's emoji ordering, e.g. ``animals-nature``, ``animal-bird``.
    """

    code: str
    label: str
    tags: tuple[str, ...]
    group: str
    subgroup: str


def code_of(hexcode: str) -> str:
    """Return a hexcode in the form all sources share: lower case, no variation selector."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def read_emoji(archive: Path) -> list[Emoji]:
    """Return all emoji in Unicode's order.

    Raises:
        UserError: the archive is not the package, or lacks a file of it.
    """
    rows = _read_json(archive, "en/data.json")
    messages = _read_json(archive, "en/messages.json")
    with _as_the_package_has_it(archive):
        groups = {row["order"]: row["key"] for row in messages["groups"]}
        subgroups = {row["order"]: row["key"] for row in messages["subgroups"]}
        return [
            Emoji(
                code_of(row["hexcode"]),
                row["label"],
                tuple(row.get("tags", ())),
                groups[row["group"]],
                subgroups[row["subgroup"]],
            )
            for row in rows
            if row.get("group") is not None
        ]


def read_labels(archive: Path, language: str) -> dict[str, str]:
    """Return code → name in ``language`` (a folder of the package, e.g. ``de``).

    Raises:
        UserError: the package has no such language.
    """
    rows = _read_json(archive, f"{language}/data.json")
    with _as_the_package_has_it(archive):
        return {code_of(row["hexcode"]): row["label"] for row in rows}


@contextlib.contextmanager
def _as_the_package_has_it(archive: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{archive}: its emoji are not in emojibase's form ({error!r}); fetch the source again"
        ) from error


def _read_json(archive: Path, member: str):
    try:
        return json.loads(read_member(archive, f"package/{member}"))
    except ValueError as error:
        raise UserError(f"{archive}: {member} is not valid JSON ({error}); fetch the source again") from error
