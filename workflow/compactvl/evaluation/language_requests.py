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


def minimal_pair_forms(items: pd.DataFrame) -> pd.DataFrame:
    """Both sentences, each a continuation of nothing.

    Args:
        items: text_good, text_bad.
    """
    texts = [items["text_good"], items["text_bad"]]
    return _forms([_form(role, "", text) for role, text in zip(("good", "bad"), texts, strict=True)])


def ewok_forms(items: pd.DataFrame) -> pd.DataFrame:
    """Both targets after both contexts.

    Args:
        items: context_0, context_1, target_0, target_1; target i fits context i.
    """
    pairs = [(c, t) for c in (0, 1) for t in (0, 1)]
    return _forms([_form(f"c{c}t{t}", items[f"context_{c}"], " " + items[f"target_{t}"]) for c, t in pairs])


def ranked_answer_forms(items: pd.DataFrame, prompt: str) -> pd.DataFrame:
    """Answer and distractors after the prompt.

    Args:
        items: question (or prompt), answer, distractors (JSON list of strings). prompt: holds ``{question}``.
    """
    questions = items["question" if "question" in items else "prompt"]
    contexts = questions.map(lambda question: prompt.replace(QUESTION, question))
    choices = [
        [answer, *json.loads(others)] for answer, others in zip(items["answer"], items["distractors"], strict=True)
    ]
    rows = np.repeat(np.arange(len(items)), [len(texts) for texts in choices])
    number = np.concatenate([np.arange(len(texts)) for texts in choices])
    return pd.DataFrame(
        {
            "row": rows,
            "choice": number,
            "role": np.where(number == 0, "answer", "distractor"),
            "context": contexts.to_numpy(dtype=object)[rows],
            "continuation": [f" {text}" for texts in choices for text in texts],
            "ends": False,
            "image": 0,
        }
    )


def winoground_forms(items: pd.DataFrame) -> pd.DataFrame:
    """Every caption with every image; with one image an item, both captions with it.

    Args:
        items: caption_0, caption_1 and either image_0, image_1 or image_id; caption i belongs to image i.
    """
    images = (0, 1) if "image_1" in items else (0,)
    return _forms([_form(f"s{c}{i}", "", items[f"caption_{c}"], image=i) for c in (0, 1) for i in images])


def perplexity_forms(items: pd.DataFrame, text_column: str) -> pd.DataFrame:
    """The whole text and its end."""
    return _forms([_form("text", "", items[text_column], ends=True)])


def task_forms(name: str, task: LanguageTask, items: pd.DataFrame) -> pd.DataFrame:
    """Return the forms of ``items`` after checking that the task's columns are there.

    Raises:
        UserError: a column is missing, or the distractors of an item are not a JSON list of strings.
    """
    match task.kind:
        case "minimal_pairs":
            return minimal_pair_forms(_checked(name, task, items, ["text_good", "text_bad"]))
        case "ewok":
            return ewok_forms(_checked(name, task, items, ["context_0", "context_1", "target_0", "target_1"]))
        case "ranked_answers":
            question = "prompt" if "prompt" in items and "question" not in items else "question"
            items = _checked(name, task, items, [question, "answer", "distractors"])
            _check_distractors(name, task, items)
            return ranked_answer_forms(items, task.prompt)
        case "winoground":
            return winoground_forms(_checked(name, task, items, ["caption_0", "caption_1"]))
        case "perplexity":
            return perplexity_forms(_checked(name, task, items, [task.text_column]), task.text_column)


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
    images = _checked(name, task, items, columns)[columns].to_numpy(dtype=object)
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
    order = np.argsort(np.asarray(groups, dtype=str), kind="stable")
    edges = np.arange(number + 1) * n // number
    place = np.arange(number) * GOLDEN % 1
    return np.sort(order[edges[:-1] + (place * np.diff(edges)).astype(int)])


def _form(
    role: str, context: "pd.Series | str", text: pd.Series, *, image: int = 0, ends: bool = False
) -> pd.DataFrame:
    columns = {"role": role, "context": context, "continuation": text.to_numpy(dtype=object), "ends": ends}
    if isinstance(context, pd.Series):
        columns["context"] = context.to_numpy(dtype=object)
    return pd.DataFrame(columns | {"image": image}, index=pd.RangeIndex(len(text), name="row"))


def _forms(forms: list[pd.DataFrame]) -> pd.DataFrame:
    """Join the forms, an item's rows adjacent and in the order given."""
    table = pd.concat([form.assign(choice=choice) for choice, form in enumerate(forms)]).reset_index()
    return table.sort_values(["row", "choice"], ignore_index=True)


def _checked(name: str, task: LanguageTask, items: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    if missing := [column for column in columns if column not in items]:
        raise UserError(
            f"task {name}: data set {task.dataset} lacks the column(s) {', '.join(missing)} of a {task.kind} task; "
            "name another data set or kind"
        )
    return items


def _check_distractors(name: str, task: LanguageTask, items: pd.DataFrame) -> None:
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
