"""Audit of the splits: what is tested was not trained on."""

import json

import pandas as pd

from compactvl.errors import UserError

CHECKS = ("image", "content", "caption")


def audit_splits(
    name: str, images: pd.DataFrame, items: pd.DataFrame, *, compare: tuple[str, ...] = CHECKS
) -> dict[str, int]:
    """Check that validation and test share nothing with training, nor with each other.

    Args:
        name: the data set's name, for messages.
        images: columns image_id, sha256, split, meta (JSON).
        items: columns item_id, image_id, split, caption.
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
    for what, (values, splits) in columns.items():
        _assert_apart(name, what, values, splits)
    return {what: int(values.nunique()) for what, (values, _) in columns.items()}


def _assert_apart(name: str, what: str, values: pd.Series, splits: pd.Series) -> None:
    table = pd.DataFrame({"value": values.to_numpy(), "split": splits.to_numpy()}).drop_duplicates()
    shared = table[table["value"].duplicated(keep=False)].sort_values(["value", "split"])
    if len(shared):
        value = shared["value"].iloc[0]
        where = " and ".join(shared["split"][shared["value"] == value])
        number = shared["value"].nunique()
        raise UserError(
            f"data set {name!r} leaks: {number} times the same {what} in two splits, e.g. {value!r} in {where}"
        )
