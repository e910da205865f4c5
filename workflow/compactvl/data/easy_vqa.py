"""The data set ``easy_vqa``: easy-VQA 1.0 (V. Zhou 2019) as its PyPI package has it, read from the archive.

    easy_vqa/data/{train,test}/questions.json    [[question, answer, number of the image], ...]
    easy_vqa/data/{train,test}/images/<number>.png    64 x 64 pixels, one coloured shape
    easy_vqa/data/answers.txt                    the 13 answers, one a line

Items: item_id, image_id, split, question, answer, type (``yes_no``, ``shape`` or ``colour``, by the answer). Training and
test are the published ones; validation is a share of the training images, with all their questions, by a seeded hash of the
image's number. Questions stay as published, with what their words give away: most things that are asked for are not there,
so that of the yes-no questions about four in five are told from the words alone (``blind`` in the manifest); ``yes_no: false``
leaves them out.
"""

import json
import re
from typing import Any

import pandas as pd

from compactvl.data.blind import blind_scores
from compactvl.data.canonical import ImageRow
from compactvl.data.curate import Curation
from compactvl.data.draws import by_split, majority
from compactvl.data.kinds.easy_vqa import Settings
from compactvl.data.members import read_members
from compactvl.data.ratios import SplitRatios
from compactvl.errors import UserError

MEMBERS = re.compile(r"(?:[^/]+/)?easy_vqa/data/(?:answers\.txt|(train|test)/(?:questions\.json|images/([0-9]+)\.png))")
YES_NO = ("yes", "no")
SHAPES = ("circle", "rectangle", "triangle")


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``easy_vqa``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    archive = job.archive(settings.source)
    images: dict[str, dict[int, bytes]] = {"train": {}, "test": {}}
    questions: dict[str, list[tuple[str, str, int]]] = {}
    answers: list[str] = []
    for member, data in read_members(archive, MEMBERS.pattern).items():
        part, number = MEMBERS.fullmatch(member).groups()
        if number is not None:
            images[part][int(number)] = data
        elif part is not None:
            questions[part] = _questions(data, f"{archive}: {member}")
        else:
            answers = data.decode("utf-8", "replace").split()
    if not answers or questions.keys() != images.keys():
        raise UserError(f"{archive} lacks answers.txt or a questions.json of easy-VQA; fetch the source again")
    ratios = SplitRatios(train=1 - settings.val, val=settings.val, test=0)
    rows: list[dict[str, str]] = []
    stored: dict[str, ImageRow] = {}
    for part in images:
        chosen = sorted(images[part])[: settings.max_images]
        for number in chosen:
            image_id = f"{part}-{number:04d}"
            split = ratios.split_of(image_id, settings.seed) if part == "train" else part
            stored[image_id] = ImageRow(image_id, images[part][number], split)
        for i, (question, answer, number) in enumerate(questions[part]):
            if number not in images[part] or answer not in answers:
                raise UserError(
                    f"{archive}: question {i} of {part} has image {number} and answer {answer!r}, not both of which are "
                    "there; fetch the source again"
                )
            if (image_id := f"{part}-{number:04d}") in stored:
                rows.append(
                    {
                        "item_id": f"{part}-{i:05d}", "image_id": image_id, "split": stored[image_id].split,
                        "question": question, "answer": answer, "type": _type(answer),
                    }
                )  # fmt: skip
    items = pd.DataFrame(rows)
    if not settings.yes_no:
        items = items[items["type"] != "yes_no"].reset_index(drop=True)
        answers = [answer for answer in answers if answer not in YES_NO]
    job.write(
        settings,
        items,
        stored.values(),
        answers=answers,
        types=by_split(items, "type", len),
        majority=majority(items),
        blind=blind_scores(items, "question", "answer"),
    )
    job.audit(compare=("image",))


def _questions(data: bytes, where: str) -> list[tuple[str, str, int]]:
    """Read a part's questions: (question, answer, number of the image).

    Raises:
        UserError: they are not in easy-VQA's form.
    """
    try:
        return [
            (" ".join(_text(question).split()), _text(answer), int(number))
            for question, answer, number in json.loads(data)
        ]
    except (ValueError, TypeError) as error:
        raise UserError(f"{where} is not in easy-VQA's form ({error}); fetch the source again") from error


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a text, got {value!r}")
    return value


def _type(answer: str) -> str:
    return "yes_no" if answer in YES_NO else "shape" if answer in SHAPES else "colour"
