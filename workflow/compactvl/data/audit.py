"""Audit of the splits: what is tested was not trained on."""

import json
from collections.abc import Collection, Mapping

import pandas as pd

from compactvl.errors import UserError


def audit_splits(
    name: str, images: pd.DataFrame, items: pd.DataFrame, compare: Collection[str] = ("image", "content", "caption")
) -> dict[str, int]:
    """Check that validation and test share nothing with training, nor with each other.

    Args:
        compare: ``image`` (its bytes), ``content`` (that key of the meta) and ``caption``; leave out what rightly
            returns, such as the caption where a concept is tested in another art style.

    Returns:
        What was compared: check → number of different values.

    Raises:
        UserError: the same image, content or caption in two splits; says which and where.
    """
    columns = {}
    if "image" in compare:
        columns["image"] = (images["sha256"], images["split"])
    if "content" in compare:
        columns["content"] = (images["meta"].map(lambda meta: json.loads(meta)["content"]), images["split"])
    if "caption" in compare:
        columns["caption"] = (items["caption"], items["split"])
    wrong = items["split"].to_numpy() != items["image_id"].map(images.set_index("image_id")["split"]).to_numpy()
    if wrong.any():
        raise UserError(
            f"data set {name!r} leaks: item {items['item_id'][wrong].iloc[0]!r} is in another split than its image"
        )
    return _compared(name, columns)


def caseless(text: str) -> str:
    """Return what texts share that differ in nothing but the case of letters: what splits are drawn by, and audited by.

    Arrow's lower-casing, that of columns, is another one for Turkish and Greek.
    """
    return text.lower()


def audit_texts(name: str, items: pd.DataFrame, columns: tuple[str, ...]) -> dict[str, int]:
    """Check that no two splits share a value of any of ``columns``, letters' case aside.

    Returns:
        What was compared: column → number of different values.

    Raises:
        UserError: the same value in two splits; says which and where.
    """
    return _compared(name, {column: (items[column].map(caseless), items["split"]) for column in columns})


def _compared(name: str, columns: Mapping[str, tuple[pd.Series, pd.Series]]) -> dict[str, int]:
    """Compare (values, their splits) of each kind."""
    for what, (values, splits) in columns.items():
        table = pd.DataFrame({"value": values.to_numpy(), "split": splits.to_numpy()}).drop_duplicates()
        shared = table[table["value"].duplicated(keep=False)].sort_values(["value", "split"])
        if len(shared):
            value, number = shared["value"].iloc[0], shared["value"].nunique()
            where = " and ".join(shared["split"][shared["value"] == value])
            raise UserError(
                f"data set {name!r} leaks: {number} times the same {what} in two splits, e.g. {value!r} in {where}"
            )
    return {what: int(values.nunique()) for what, (values, _) in columns.items()}


def drop_repeated(items: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Take the test texts that occur in train, and the validation texts that occur in train or test, out of a table.

    Texts are the same if they differ in nothing but the case of letters: the tokenizer lower-cases.

    Returns:
        The rows that stay, in order, and how many went by split.
    """
    key, split = items["text"].map(caseless), items["split"]
    # A text stays in the first of these splits that has it.
    repeated = {
        "val": (split == "val") & key.isin(set(key[split != "val"])),
        "test": (split == "test") & key.isin(set(key[split == "train"])),
    }
    items = items[~(repeated["val"] | repeated["test"])].reset_index(drop=True)
    return items, {name: int(rows.sum()) for name, rows in repeated.items()}
