"""The data set ``scene_qa``: open questions about scenes in VQAv2's form, with ten annotators' answers.

Items: item_id, image_id, split, question, answer (the right one, which is the majority's), answers (JSON list of ten
texts), type. :mod:`compactvl.data.scene_questions` says what is asked, :mod:`compactvl.data.annotators` who answers.

So many images are drawn as the questions need, and every one is asked as many. A type's share of the questions is spread
evenly: existence over concepts and yes and no, counts over numbers, what over kinds of thing, relations over concepts,
bigger over which is named first. Of what can be asked about an image that is asked whose cell has been due for longest. So
little is known from the question alone (``blind`` in the manifest).

The vocabulary (``answers``) is that of the training items, the commonest first; items whose answer is not in it stay.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import pandas as pd

from compactvl.data.annotators import ask_all
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, enough, pick
from compactvl.data.kinds.scene_qa import Mix, Settings
from compactvl.data.scene_questions import Question, questions_about
from compactvl.data.scene_splits import read_splits, write_answered
from compactvl.data.scene_texts import Picture
from compactvl.errors import UserError

Cell = tuple[str, Hashable]


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_qa``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    base, pictures = read_splits(settings, job)
    rows = []
    for stream, split in enumerate(SPLITS):
        rng = np.random.default_rng([settings.seed, 21, stream])
        number, each = getattr(settings.questions, split), getattr(settings.per_image, split)
        drawn = [pictures[split][i] for i in rng.permutation(len(pictures[split]))[: -(-number // each)]]
        asked = list(_ask(drawn, each, number, base.manifest["concepts"], settings.mix, rng))
        enough(asked, number, f"{split} questions", f"{job.place}.questions.{split}")
        for i, (picture, question) in enumerate(asked):
            present = [group.concept for group in picture.scene.groups]
            given = ask_all(question.answer, question.honest(), question.wrong(present), settings.annotators, rng)
            rows.append(
                {
                    "item_id": f"{split}-{i:05d}", "image_id": picture.image_id, "split": split,
                    "question": question.text(rng), "answer": question.answer, "answers": json.dumps(given),
                    "type": question.type,
                }
            )  # fmt: skip
    items = pd.DataFrame(rows)
    write_answered(settings, job, base, items, "question", "answer", _vocabulary(items, settings.least, job.place))


def _ask(
    pictures: Sequence[Picture], each: int, number: int, concepts: Sequence[str], mix: Mix, rng: np.random.Generator
) -> Iterator[tuple[Picture, Question]]:
    """Yield up to ``number`` questions, up to ``each`` about a picture, as even as the pictures allow."""
    shares = mix.model_dump()
    possible = [[one for one in questions_about(picture, concepts) if shares[one.type]] for picture in pictures]
    cells = {(one.type, one.cell) for questions in possible for one in questions}
    if sum(kind == "what" for kind, _ in cells) == 1:  # everything is an animal: not worth a question
        possible = [[one for one in questions if one.type != "what"] for questions in possible]
        cells = {cell for cell in cells if cell[0] != "what"}
    sizes = Counter(kind for kind, _ in cells)
    weight: dict[Cell, float] = {cell: sizes[cell[0]] / shares[cell[0]] for cell in cells}
    # A cell is due first at a random part of its interval, so that small splits are a sample of all cells.
    due = {cell: rng.random() * weight[cell] for cell in sorted(cells, key=str)}
    for i, (picture, questions) in enumerate(zip(pictures, possible, strict=True)):
        for _ in range(min(each, number - i * each)):
            if not questions:
                break
            waiting = np.array([due[one.type, one.cell] for one in questions])
            chosen = questions[pick(np.flatnonzero(waiting == waiting.min()), rng)]
            due[chosen.type, chosen.cell] += weight[chosen.type, chosen.cell]
            questions = [one for one in questions if not one.is_like(chosen)]
            yield picture, chosen


def _vocabulary(items: pd.DataFrame, least: int, place: str) -> list[str]:
    """Return the answers that at least ``least`` training items have, the commonest first, then by name.

    Raises:
        UserError: there are not two.
    """
    counts = Counter(items["answer"][items["split"] == "train"])
    answers = sorted((answer for answer in counts if counts[answer] >= least), key=lambda one: (-counts[one], one))
    if len(answers) < 2:
        raise UserError(
            f"{place}.least: {len(answers)} answers are right for {least} training questions or more, two are needed; "
            "lower it, or ask for more questions"
        )
    return answers
