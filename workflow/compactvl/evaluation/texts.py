"""The driver of the ability ``texts``: requests for log-probabilities, answered by any next-token model."""

import numpy as np
import pandas as pd

from compactvl.evaluation.abilities import TextScorer


def answer(requests: pd.DataFrame, model: TextScorer) -> pd.DataFrame:
    """Fill in ``log_prob`` and ``tokens`` of a table of requests (:mod:`compactvl.evaluation.language`).

    A row that occurs more than once with the same image is scored once. A row longer than the model takes loses the
    beginning of its context first, then the end of its continuation.

    Returns:
        The requests with the two columns.
    """
    tokenizer, longest = model.tokenizer, model.longest
    contexts = tokenizer.pieces(requests["context"].tolist())
    continuations = tokenizer.pieces(requests["continuation"].tolist())
    distinct: dict[tuple, int] = {}
    rows, starts, images, tasks, place = [], [], [], [], []
    for context, text, ends, image, task in zip(
        contexts, continuations, requests["ends"], requests["image_id"], requests["task"], strict=True
    ):
        text = [*text, tokenizer.eos] if ends else text
        text = text[: longest - 1]
        context = context[max(0, len(context) + len(text) + 1 - longest) :]
        key = (*context, -1, *text, image, task if image else "")
        if key not in distinct:
            distinct[key] = len(rows)
            rows.append([tokenizer.bos, *context, *text])
            starts.append(1 + len(context))
            images.append(image)
            tasks.append(task)
        place.append(distinct[key])
    scores = np.empty(len(rows))
    order = pd.Series(tasks).groupby(tasks, sort=False).indices
    for task, members in order.items():
        scores[members] = model.score(
            [rows[i] for i in members], [starts[i] for i in members], [images[i] for i in members], str(task)
        )
    counted = np.array([len(row) - start for row, start in zip(rows, starts, strict=True)])
    return requests.assign(log_prob=scores[place], tokens=counted[place])
