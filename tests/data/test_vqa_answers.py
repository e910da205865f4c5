"""VQA's normal form and soft score against the challenge's rules, written out step by step."""

import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from compactvl.config.base import validate
from compactvl.data.annotators import ask_all
from compactvl.data.kinds.scene_qa import Annotators
from compactvl.data.vqa_answers import APOSTROPHES, NUMBERS, cleaned, normalise, soft_score, soft_scores


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("Yes", "yes"), (" a red car ", "red car"), ("The\tEnd\n", "end"), ("two", "2"), ("None", "0"), ("ten apples", "10 apples"),
        ("eleven", "eleven"), ("dont know", "don't know"), ("it's", "it's"), ("couldntve", "couldntve"), ("Couldnt've", "couldn't've"),
        ("y'alld've", "y'all'd've"), ("twas", "'twas"), ("Im", "im"), ("somebody'd", "somebodyd"),
        ("red/white", "red white"), ("red / white", "red white"), ("black-and-white", "black and white"), ("yes!", "yes"), ("yes! sir", "yes sir"),
        ("1,000", "1000"), ("a, b,c", "b c".replace(" ", "")), ("Mr. Smith", "mr smith"), ("2.5", "2.5"), ("5.", "5"), ("u.s.a.", "usa"), ("", ""),
        ("1,000-2,000", "10002000"), ("t-shirt", "t shirt"), ("#1", "#1"), ("5:30", "5:30"), ("the", ""), ("an", ""),
    ],
)  # fmt: skip
def test_normal_form_by_hand(answer, normal):
    assert normalise(answer) == normal


def official(answer):
    """The evaluation's two steps, in its own order."""
    answer = answer.replace("\n", " ").replace("\t", " ").strip()
    out = answer
    for p in [";", "/", "[", "]", '"', "{", "}", "(", ")", "=", "+", "\\", "_", "-", ">", "<", "@", "`", ",", "?", "!"]:
        if (p + " " in answer or " " + p in answer) or re.search(r"(\d)(\,)(\d)", answer) is not None:
            out = out.replace(p, "")
        else:
            out = out.replace(p, " ")
    out = re.sub(r"(?!<=\d)(\.)(?!\d)", "", out)
    words = []
    for word in out.lower().split():
        word = NUMBERS.get(word, word)
        if word not in ["a", "an", "the"]:
            words.append(word)
    for i, word in enumerate(words):
        if word in APOSTROPHES:
            words[i] = APOSTROPHES[word]
    return " ".join(words)


def test_normal_form_of_random_texts():
    rng = np.random.default_rng(3)
    pieces = [
        *";/[]\"{}()=+\\_-><@`,?!.'# \t\n",
        *"0123456789",
        "The",
        "a",
        "AN",
        "two",
        "dont",
        "im",
        "dog",
        "Cat",
        " ",
    ]
    texts = {"".join(rng.choice(pieces, rng.integers(1, 12))) for _ in range(4000)}
    assert [text for text in sorted(texts) if normalise(text) != official(text)] == []
    # Each rule was met.
    assert {"2", "dog", "don't", "0"} <= {word for text in texts for word in normalise(text).split()}


def leave_one_out(prediction, given):
    """The score as the evaluation computes it."""
    given = [cleaned(answer) for answer in given]
    prediction = cleaned(prediction)
    if len(set(given)) > 1:
        given, prediction = [official(answer) for answer in given], official(prediction)
    accuracies = []
    for left_out in range(len(given)):
        others = [answer for i, answer in enumerate(given) if i != left_out]
        accuracies.append(min(1, sum(answer == prediction for answer in others) / 3))
    return sum(accuracies) / len(accuracies)


@pytest.mark.parametrize("matches", range(11))
def test_soft_score_is_the_mean_over_all_subsets_of_nine(matches):
    votes = [True] * matches + [False] * (10 - matches)
    subsets = [min(1, sum(part) / 3) for part in combinations(votes, 9)]
    assert soft_score(matches, 10) == pytest.approx(np.mean(subsets), abs=1e-12)
    assert soft_score(matches, 10) == pytest.approx((0, 0.3, 0.6, 0.9, 1)[min(matches, 4)], abs=1e-12)


def test_soft_scores_equal_the_evaluation():
    rng = np.random.default_rng(5)
    words = ["two", "2", "Two ", "a dog", "dog", "the dog.", "dont", "don't", "red/blue", "red blue"]
    for _ in range(300):
        given = list(rng.choice(words, 10, p=rng.dirichlet(np.full(len(words), 0.3))))
        scores, normal = soft_scores(given)
        for prediction in (*words, "cat"):
            ours = scores.get(normalise(prediction) if normal else cleaned(prediction), 0.0)
            assert ours == pytest.approx(leave_one_out(prediction, given), abs=1e-12), (prediction, given)


def test_what_all_annotators_wrote_is_compared_as_written():
    assert soft_scores(["two"] * 10) == ({"two": 1.0}, False)
    scores, normal = soft_scores(["two"] * 9 + ["2"])
    assert (scores, normal) == ({"2": 1.0}, True)


def test_at_most_four_annotators_differ():
    rng = np.random.default_rng(0)
    everyone = validate(Annotators, {"differ": 1.0, "slip": 0.0}, "x")
    assert Counter(ask_all("2", ["3"], ["1"], everyone, rng)) == {"2": 6, "3": 4}
    assert ask_all("2", [], [], everyone, rng) == ["2"] * 10
    nobody = validate(Annotators, {"differ": 0.0, "slip": 0.0}, "x")
    assert ask_all("2", ["3"], ["1"], nobody, rng) == ["2"] * 10
