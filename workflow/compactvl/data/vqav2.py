"""VQAv2 (Goyal et al. 2017) with the splits and the list of answers of DiDE's release, which are ViLT's.

    questions.json     {"data_subtype": "train2014", "questions": [{"question_id", "image_id", "question"}, ...]}
    annotations.json   {"data_subtype": "train2014", "annotations": [{"question_id", "image_id", "answer_type",
                       "multiple_choice_answer", "answers": [{"answer": ...}, ... ten]}, ...]}

An image is ``COCO_<part>_<number, 12 digits>.jpg``, in a folder named as its part or directly in the image folder.

- The list: majority answers of **both** parts, held-out questions too, in normal form, that are those of ``min_count`` questions
  or more; in the order of their first question, as in the release. Nothing else is normalised.
- Training: both parts but for the held-out photographs; questions for which no annotator wrote a known answer are dropped.
- Held out: the last photographs of val2014. The release takes the last of a random order that it does not tell; here they are
  the last by number. The test questions of VQAv2 have no public answers, so ``test`` is cut from val2014 too.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from compactvl.data.answered_items import AGAIN, AnsweredItems, text_of
from compactvl.data.curate import Curation
from compactvl.data.kinds.vqav2 import HeldOut, Settings
from compactvl.data.user_files import read_user_json
from compactvl.data.vqa_answers import normalise, soft_scores
from compactvl.data.vqa_targets import target_scores
from compactvl.errors import UserError

ANNOTATORS = 10


class Question(NamedTuple):
    """A question with its answers; ``where`` is its place in the file, ``image`` COCO's number."""

    where: str
    part: str
    number: int
    image: int
    text: str
    answer: str
    given: list[str]
    type: str


def curate(settings: Settings, job: Curation) -> None:
    """Make the set: item_id (question id), image_id, split, question, answer (the majority's), answers (JSON list), type.

    The manifest says how many questions were ``dropped``, by split, and in ``majority`` what a constant answer scores.
    """
    questions = [
        question
        for (part, asked), (_, annotated) in zip(settings.questions, settings.annotations, strict=True)
        for question in read_part(part, Path(asked), Path(annotated))
    ]
    answers = known_answers((question.answer for question in questions), settings.min_count)
    if len(answers) < 2:
        raise UserError(
            f"{job.place}.min_count: {len(answers)} answers are the majority's of {settings.min_count} questions or more; "
            "ask for fewer questions"
        )
    places = {answer: place for place, answer in enumerate(answers)}
    held = split_of_images((question.image for question in questions if question.part == "val2014"), settings.heldout)
    if held is None:
        raise UserError(
            f"{job.place}.heldout: {settings.heldout.val} + {settings.heldout.test} photographs asked for, "
            f"{settings.questions.val2014} has fewer; ask for fewer"
        )
    items, dropped = AnsweredItems(job, settings), 0
    for question in questions:
        split = held.get(question.image, "train") if question.part == "val2014" else "train"
        if split == "train" and not target_scores(question.given, places):
            dropped += 1
            continue
        name = f"COCO_{question.part}_{question.image:012d}.jpg"
        items.add(
            question.where,
            str(question.number),
            split,
            {"image_id": [f"{question.part}/{name}", name]},
            question=question.text,
            answer=question.answer,
            answers=json.dumps(question.given, ensure_ascii=False),
            type=question.type,
        )
    items.write(answers, majority=_majority(items.table(), places), dropped={"train": dropped})


def known_answers(majority: Iterable[str], min_count: int) -> list[str]:
    """Return the normal forms of majority answers that occur ``min_count`` times or more, in the order they first occur."""
    counts = Counter(normalise(answer) for answer in majority)
    return [answer for answer, count in counts.items() if count >= min_count]


def split_of_images(images: Iterable[int], heldout: HeldOut) -> dict[int, str] | None:
    """Return image → val or test of the held-out ones; ``None`` where there are too few images."""
    ordered = sorted(set(images), reverse=True)
    if len(ordered) < heldout.val + heldout.test:
        return None
    splits = ["val"] * heldout.val + ["test"] * heldout.test
    return dict(zip(ordered, splits, strict=False))


def read_part(part: str, asked: Path, annotated: Path) -> list[Question]:
    """Read the questions of train2014 or val2014 with their annotations, in the annotations' order.

    Raises:
        UserError: no JSON of that form, or of the other part, an id twice, a question without an annotation or the other way
            round, images that differ, other than ten answers; names file and entry.
    """
    questions = _by_id(part, asked, "questions")
    annotations = _by_id(part, annotated, "annotations")
    for one, path, other, there in (
        (questions, asked, annotations, annotated),
        (annotations, annotated, questions, asked),
    ):
        if alone := [number for number in one if number not in other]:
            raise UserError(
                f"{one[alone[0]][0]}: question {alone[0]} is not in {there} ({len(alone)} of the {len(one)} of {path.name} "
                "are not); get both files of one release"
            )
    return [_question(part, number, questions[number], entry) for number, entry in annotations.items()]


def _by_id(part: str, path: Path, field: str) -> dict[int, tuple[str, Mapping[str, Any]]]:
    """Return question id → (place, entry) of one file."""
    body = read_user_json(path)
    entries = body.get(field) if isinstance(body, dict) else None
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path} has no list {field!r}; give the {field} file of VQAv2's {part}")
    if (subtype := body.get("data_subtype")) not in (None, part):
        raise UserError(f"{path} is of {subtype}, not of {part}; give each part its own file")
    found: dict[int, tuple[str, Mapping[str, Any]]] = {}
    for place, entry in enumerate(entries):
        where = f"{path} {field}[{place}]"
        number = _number(entry, "question_id", where)
        if number in found:
            raise UserError(
                f"{where}: question {number} occurs twice (also {field}[{list(found).index(number)}]); {AGAIN}"
            )
        found[number] = where, entry
    return found


def _number(entry: Any, field: str, where: str) -> int:
    value = entry.get(field) if isinstance(entry, dict) else None
    if type(value) is not int or value < 0:
        raise UserError(f"{where}: {field!r} {'is missing' if value is None else f'is {value!r}, no number'}; {AGAIN}")
    return value


def _question(
    part: str, number: int, asked: tuple[str, Mapping[str, Any]], annotated: tuple[str, Mapping[str, Any]]
) -> Question:
    (where, question), (place, annotation) = asked, annotated
    image = _number(question, "image_id", where)
    if _number(annotation, "image_id", place) != image:
        raise UserError(
            f"{place}: question {number} is about image {annotation['image_id']}, but {where} says {image}; {AGAIN}"
        )
    entries = annotation.get("answers")
    given = [entry.get("answer") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if len(given) != ANNOTATORS or not all(isinstance(one, str) for one in given):
        raise UserError(f"{place}: 'answers' is no list of {ANNOTATORS} annotators' answers; {AGAIN}")
    # An answer may be no word: what is the letter? "a", whose normal form is empty.
    if not isinstance(answer := annotation.get("multiple_choice_answer"), str):
        raise UserError(f"{place}: 'multiple_choice_answer' is {answer!r}, no text; {AGAIN}")
    return Question(
        where,
        part,
        number,
        image,
        text_of(question, "question", where),
        answer,
        given,
        text_of(annotation, "answer_type", place),
    )


def _majority(items: pd.DataFrame, places: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """Return split → the known answer that scores best on it, and the VQA score of always giving that one."""
    found = {}
    for split, given in items.groupby("split")["answers"]:
        totals = dict.fromkeys(places, 0.0)
        for text in given:
            scores: Mapping[str, float] = soft_scores(json.loads(text))[0]
            totals.update({answer: totals[answer] + score for answer, score in scores.items() if answer in totals})
        best = max(totals, key=totals.__getitem__)
        found[split] = {"answer": best, "score": round(totals[best] / len(given), 4)}
    return found
