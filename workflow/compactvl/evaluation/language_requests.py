"""What each kind of language task asks: items become forms, a table with one row a text to be scored.

A form table has the columns row (of the item), choice, role, context, continuation, ends and image (0 or 1: which of
the item's images). Items are validated here, since they may come from files of the user.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from compactvl.errors import UserError
from compactvl.evaluation.language_tasks import QUESTION, LanguageTask

GROUPS = {
    "minimal_pairs": ("phenomenon",),
    "ewok": ("domain",),
    "ranked_answers": ("condition", "type"),
    "winoground": ("kind",),
    "perplexity": (),
}
"""The first of these columns that is there says an item's group."""
GOLDEN = (5**0.5 - 1) / 2


def task_forms(name: str, task: LanguageTask, items: pd.DataFrame) -> pd.DataFrame:
    """Return the forms of ``items`` (numbered from 0), an item's rows adjacent.

    Raises:
        UserError: a column is missing, or the distractors of an item are not a JSON list of strings.
    """

    def need(*columns: str) -> None:
        _check_columns(name, task, items, columns)

    match task.kind:
        case "minimal_pairs":
            need("text_good", "text_bad")
            return _forms({role: ("", items[f"text_{role}"]) for role in ("good", "bad")})
        case "ewok":
            # Both targets after both contexts; target i fits context i.
            need("context_0", "context_1", "target_0", "target_1")
            both = [(c, t) for c in (0, 1) for t in (0, 1)]
            return _forms({f"c{c}t{t}": (items[f"context_{c}"], " " + items[f"target_{t}"]) for c, t in both})
        case "ranked_answers":
            question = "prompt" if "prompt" in items and "question" not in items else "question"
            need(question, "answer", "distractors")
            contexts = items[question].map(lambda text: task.prompt.replace(QUESTION, text))
            distractors = _distractors(name, task, items)
            texts = [
                [f" {text}" for text in (a, *others)] for a, others in zip(items["answer"], distractors, strict=True)
            ]
            forms = pd.DataFrame({"row": items.index, "context": contexts, "continuation": texts})
            forms = forms.explode("continuation", ignore_index=True)
            choice = forms.groupby("row").cumcount()
            role = np.where(choice == 0, "answer", "distractor")
            return forms.assign(choice=choice, role=role, ends=False, image=0)
        case "winoground":
            # Every caption with every image, one or two an item; caption i belongs to image i.
            need("caption_0", "caption_1")
            both = [(c, i) for c in (0, 1) for i in ((0, 1) if "image_1" in items else (0,))]
            forms = _forms({f"s{c}{i}": ("", items[f"caption_{c}"]) for c, i in both})
            return forms.assign(image=forms["role"].str[-1].astype(int))
        case "perplexity":
            need(task.text_column)
            return _forms({"text": ("", items[task.text_column])}).assign(ends=True)


def _forms(texts: dict[str, tuple[pd.Series | str, pd.Series]]) -> pd.DataFrame:
    """Return the forms of items that have the same roles: role → context and continuation."""
    forms = [
        pd.DataFrame({"row": text.index, "choice": choice, "role": role, "context": context, "continuation": text})
        for choice, (role, (context, text)) in enumerate(texts.items())
    ]
    return pd.concat(forms).sort_values(["row", "choice"], ignore_index=True).assign(ends=False, image=0)


def group_of(task: LanguageTask, items: pd.DataFrame) -> np.ndarray:
    """Return each item's group: ``(n,)`` strings, all empty where the items have none."""
    column = next((column for column in GROUPS[task.kind] if column in items), None)
    return np.full(len(items), "", dtype=object) if column is None else items[column].astype(str).to_numpy(dtype=object)


def images_of(name: str, task: LanguageTask, items: pd.DataFrame) -> np.ndarray:
    """Return the image ids each item names, ``(n, 1)`` or ``(n, 2)`` strings.

    Raises:
        UserError: an image column is missing, or an item names no image.
    """
    columns = ["image_0", "image_1"] if task.kind == "winoground" and "image_1" in items else ["image_id"]
    _check_columns(name, task, items, columns)
    images = items[columns].to_numpy(dtype=object)
    if (images == "").any():
        item = items["item_id"].iloc[int(np.flatnonzero((images == "").any(axis=1))[0])]
        raise UserError(f"task {name}: item {item} of data set {task.dataset} names no image; leave `images` out")
    return images


def other_images(images: np.ndarray) -> dict[str, str]:
    """Return image → another one: a cyclic shift by half of the different ids, in sorted order.

    Raises:
        ValueError: there are fewer than two different images.
    """
    ids = sorted(set(images.ravel()))
    if len(ids) < 2:
        raise ValueError("another item's image needs at least two different images")
    shift = len(ids) // 2
    return dict(zip(ids, ids[shift:] + ids[:shift], strict=True))


def spread_evenly(groups: Sequence[str] | np.ndarray, number: int | None) -> np.ndarray:
    """Return ``number`` ascending row indices, evenly spread within and between groups; all for ``None``.

    The table, sorted by group, is cut into ``number`` equal runs and one row is taken of each, so every group keeps
    its share. Which one moves on by the golden ratio: with a fixed place, five captions an image and one of every five
    rows, all would be the same of the five.

    Args:
        groups: ``(n,)`` labels.
    """
    n = len(groups)
    if number is None or number >= n:
        return np.arange(n)
    order = np.argsort(np.asarray(groups, dtype=object), kind="stable")
    edges = np.arange(number + 1) * n // number
    place = np.arange(number) * GOLDEN % 1
    return np.sort(order[edges[:-1] + (place * np.diff(edges)).astype(int)])


def _check_columns(name: str, task: LanguageTask, items: pd.DataFrame, columns: Sequence[str]) -> None:
    if missing := [column for column in columns if column not in items]:
        raise UserError(
            f"task {name}: data set {task.dataset} lacks the column(s) {', '.join(missing)} of a {task.kind} task; "
            "name another data set or kind"
        )


def _distractors(name: str, task: LanguageTask, items: pd.DataFrame) -> list[list[str]]:
    parsed = []
    for item_id, text in zip(items["item_id"], items["distractors"], strict=True):
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
            raise UserError(
                f"task {name}: item {item_id} of data set {task.dataset}: distractors must be a JSON list of strings, "
                f"got {text!r}; curate the set again"
            )
        parsed.append(found)
    return parsed
