"""Texts of held-out splits that occur in an earlier split: taken out, and the audit that none is left."""

import pandas as pd

from compactvl.errors import UserError

# A text stays in the first of these splits that has it.
PRECEDENCE = ("train", "test", "val")


def drop_repeated(items: pd.DataFrame, column: str = "text") -> tuple[pd.DataFrame, dict[str, int]]:
    """Take the test texts that occur in train, and the validation texts that occur in train or test, out of a table.

    Texts are the same if they differ in nothing but the case of letters: the tokenizer lower-cases.

    Args:
        items: columns ``split`` and ``column``.
        column: which texts.

    Returns:
        The rows that stay, in order, and how many went by split.
    """
    key = items[column].str.lower()
    seen: set[str] = set(key[items["split"] == "train"])
    stays = pd.Series(True, index=items.index)
    for split in PRECEDENCE[1:]:
        own = items["split"] == split
        stays &= ~(own & key.isin(seen))
        seen |= set(key[own])
    dropped = {split: int((~stays & (items["split"] == split)).sum()) for split in ("val", "test")}
    return items[stays].reset_index(drop=True), dropped


def audit_texts(name: str, items: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, int]:
    """Check that no two splits share a value of any of ``columns``, letters' case aside.

    Returns:
        What was compared: column → number of different values.

    Raises:
        UserError: the same value in two splits; says which and where.
    """
    compared = {}
    for column in columns:
        table = pd.DataFrame({"value": items[column].str.lower(), "split": items["split"]}).drop_duplicates()
        shared = table[table["value"].duplicated(keep=False)].sort_values(["value", "split"])
        if len(shared):
            value = shared["value"].iloc[0]
            where = " and ".join(shared["split"][shared["value"] == value])
            raise UserError(f"data set {name!r} leaks: the same {column} in two splits, e.g. {value!r} in {where}")
        compared[column] = int(table["value"].nunique())
    return compared
