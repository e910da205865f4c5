"""VQA's answers: the official normal form, and the soft score over ten annotators.

The rules are those of the VQA challenge's evaluation (Antol et al. 2015; Goyal et al. 2017), quirks included, so that scores
compare with published ones: ``none`` is a number, and where all annotators wrote the same, answers are compared as written.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

ENOUGH = 3
"""Annotators who must agree with an answer for the whole score."""
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
COMMA_IN_NUMBER = re.compile(r"\d,\d")
PERIOD = re.compile(r"\.(?!\d)")
ARTICLES = frozenset(("a", "an", "the"))
NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(NUMBER_WORDS)}
CONTRACTED = (
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's "
    "how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock "
    "oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd "
    "someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's "
    "they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's "
    "where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've "
    "y'all y'all'll y'all'd've you'd you'd've you'll you're you've"
)
APOSTROPHES = {
    word[:place] + word[place + 1 :]: word
    for word in CONTRACTED.split()
    for place in range(len(word))
    if word[place] == "'"
} | {"somebody'd": "somebodyd"}
"""Word with one apostrophe missing → the word; and one slip of the official list."""


@lru_cache(maxsize=1 << 18)
def normalise(answer: str) -> str:
    """Return an answer's normal form: lower case, digits for number words, apostrophes put in, no articles or punctuation.

    >>> normalise("The Two dogs."), normalise("dont know"), normalise("red/white"), normalise("1,000"), normalise("2.5")
    ('2 dogs', "don't know", 'red white', '1000', '2.5')
    """
    plain = cleaned(answer)
    text, in_number = plain, COMMA_IN_NUMBER.search(plain)
    for mark in PUNCTUATION:
        joins = not (in_number or f"{mark} " in plain or f" {mark}" in plain)
        text = text.replace(mark, " " if joins else "")
    words = (NUMBERS.get(word, word) for word in PERIOD.sub("", text).lower().split())
    return " ".join(APOSTROPHES.get(word, word) for word in words if word not in ARTICLES)


def cleaned(answer: str) -> str:
    """Return an answer without line breaks, tabs and outer spaces."""
    return answer.replace("\n", " ").replace("\t", " ").strip()


def soft_score(matches: int, annotators: int) -> float:
    """Return the mean over all subsets that leave one annotator out of min(1, matches in the subset / 3).

    >>> [round(soft_score(matches, 10), 12) for matches in range(6)]
    [0.0, 0.3, 0.6, 0.9, 1.0, 1.0]
    """
    without_a_match, with_all = min(1, (matches - 1) / ENOUGH), min(1, matches / ENOUGH)
    return (matches * without_a_match + (annotators - matches) * with_all) / annotators


def soft_scores(given: Sequence[str]) -> tuple[dict[str, float], bool]:
    """Return the score of every answer that an annotator gave; all others have 0.

    Args:
        given: the annotators' answers, as they wrote them.

    Returns:
        Answer → score, and whether answers are compared in their normal form: a prediction must be brought into it
        (:func:`normalise`) if so, and only :func:`cleaned` if not.
    """
    given = [cleaned(answer) for answer in given]
    differ = len(set(given)) > 1
    counts = Counter(normalise(answer) for answer in given) if differ else Counter(given)
    return {answer: soft_score(count, len(given)) for answer, count in counts.items()}, differ
