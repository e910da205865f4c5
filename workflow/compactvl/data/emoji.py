"""Names, tags and groups of the emoji, from the package emojibase-data (Unicode CLDR)."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compactvl.data.members import read_member
from compactvl.errors import UserError


@dataclass(frozen=True)
class Emoji:
    """One emoji without its skin tones.

    Attributes:
        code: lower-case code points joined by ``-``, without the variation selector U+FE0F.
        label, tags: CLDR short name and keywords in English.
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
    with _package(archive) as read:
        names = read("en/messages.json")
        groups, subgroups = ({row["order"]: row["key"] for row in names[what]} for what in ("groups", "subgroups"))
        return [
            Emoji(code_of(row["hexcode"]), row["label"], tuple(row.get("tags", ())), groups[row["group"]],
                  subgroups[row["subgroup"]])
            for row in read("en/data.json")
            if row.get("group") is not None
        ]  # fmt: skip


def read_labels(archive: Path, language: str) -> dict[str, str]:
    """Return code → name in ``language`` (a folder of the package, e.g. ``de``).

    Raises:
        UserError: the package has no such language.
    """
    with _package(archive) as read:
        return {code_of(row["hexcode"]): row["label"] for row in read(f"{language}/data.json")}


@contextlib.contextmanager
def _package(archive: Path) -> Iterator[Callable[[str], Any]]:
    """Give a reader of the package's JSON files."""
    try:
        yield lambda member: json.loads(read_member(archive, f"package/{member}"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{archive}: its emoji are not in emojibase's form ({error!r}); fetch the source again"
        ) from error
