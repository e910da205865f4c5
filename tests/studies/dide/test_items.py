"""Items and captions as training reads them."""

import numpy as np
import pandas as pd
import pytest

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.studies.captions import Captions, other_pairs
from compactvl.studies.dide.images import open_images
from compactvl.studies.items import Items, TrainingItems
from compactvl.text.wordpiece import WordPiece


@pytest.fixture
def tokenizer(world):
    return WordPiece.beside(world.layout.weights("tiny"))


def items(world, small, tokenizer, name, split="train", **options):
    settings = small()[{"asked": "teacher", "annotated": "soft_vqa", "pairs": "pair_teacher"}[name]]
    return TrainingItems(
        CanonicalSet.open(world.layout.dataset(name)), split, tokenizer, answers=2, **settings.form, **options
    )


def test_questions_of_one_image_come_together(world, small, tokenizer):
    found = items(world, small, tokenizer, "asked")
    rows = found.draw(6, np.random.default_rng(0), 2)
    assert len(set(rows)) == 6
    ids, place = found.image_ids(rows)
    assert len(ids) == 3
    assert np.bincount(place).tolist() == [2, 2, 2]
    assert [ids[p] for p in place] == found.images[rows, 0].tolist()
    assert rows.tolist() == found.draw(6, np.random.default_rng(0), 2).tolist()


def test_targets_are_what_annotators_said_or_the_one_answer(world, small, tokenizer):
    found = items(world, small, tokenizer, "annotated")
    table = CanonicalSet.open(world.layout.dataset("annotated")).items.query("split == 'train'").reset_index(drop=True)
    targets = found.targets(np.arange(len(table)))
    assert found.several
    for row, given in enumerate(table["answers"]):
        yes = '"yes"' in given
        assert targets[row].tolist() == [1.0, 0.0] if yes else [0.0, 1.0]
    found = items(world, small, tokenizer, "pairs")
    table = CanonicalSet.open(world.layout.dataset("pairs")).items.query("split == 'train'")
    assert found.targets(np.arange(len(table))).tolist() == table["label"].tolist()
    ids, place = found.image_ids(np.array([0, 5]))
    assert place is None
    assert ids == [*found.images[[0, 5], 0], *found.images[[0, 5], 1]]


def test_questions_without_a_known_answer_are_left_out_of_training_alone(world, small, tokenizer):
    dataset = CanonicalSet.open(world.layout.dataset("asked"))
    dataset.items.loc[:9, "answer"] = "perhaps"
    settings = small()["teacher"]
    whole = (dataset.items["split"] == "train").sum()
    assert len(TrainingItems(dataset, "train", tokenizer, answers=settings.answers, longest=16).ids) == whole - 10
    assert len(TrainingItems(dataset, "train", tokenizer, answers=2, longest=16, known_only=False).ids) == whole


def test_another_number_of_answers_is_refused(world, small, tokenizer):
    settings = small(teacher={"answers": 5})["teacher"]
    with pytest.raises(UserError, match="has 2 answers, the variant's `answers` says 5; correct that setting"):
        TrainingItems(
            CanonicalSet.open(world.layout.dataset("asked")), "train", tokenizer, answers=settings.answers, longest=16
        )


def test_a_table_without_texts_or_images_is_refused(tokenizer):
    with pytest.raises(UserError, match="needed are image_0 and image_1, and one of question, statement, hypothesis"):
        Items("odd", pd.DataFrame({"image_id": ["a"], "question": ["q"]}), tokenizer, longest=16, image_pair=True)


def test_images_of_another_shape_are_refused(world, small):
    settings = small()["dual"].images.model_copy(update={"side": 2})
    with pytest.raises(UserError, match="holds 16 tokens of width 12, the variant's `images` say 2 x 2 of width 12"):
        open_images(settings, world.layout, "drawn")


def test_only_nouns_are_masked_where_asked(tokenizer):
    captions = Captions(["a red and blue", "a green"], ["DET NOUN CCONJ NOUN", "DET NOUN"], tokenizer, 6)
    texts, words = captions.batch(np.array([0, 1]))
    pieces = [[tokenizer.backend.id_to_token(i) for i in row] for row in texts.ids.tolist()]
    assert pieces[0] == ["[CLS]", "a", "red", "and", "blue", "[SEP]"]
    assert words.tolist() == [[-1, -1, 1, -1, 3, -1], [-1, -1, 1, -1, -1, -1]]
    every = Captions(["a red and blue"], None, tokenizer, 5).batch(np.array([0]))[1]
    assert every.tolist() == [[-1, 0, 1, 2, -1]]


def test_the_other_image_is_the_next_that_says_something_else():
    import torch

    match = torch.eye(4, dtype=torch.bool)
    match[0, 1] = match[1, 0] = True
    assert other_pairs(match).tolist() == [2, 2, 3, 0]
    assert other_pairs(torch.ones(2, 2, dtype=torch.bool)).tolist() == [1, 0]
