"""The data set ``brown_pairs``: minimal pairs in BLiMP's form from held-out Brown sentences.

The good sentence is the corpus's own, the bad one differs from it in exactly one word (data/pair_rules.py). Validation
pairs come from validation sentences, test pairs from test sentences; both words occur in the training split. In every
group of a paradigm (such as *is/are*) half of the pairs have the good word as the more frequent one in training and
half the bad word, so a model that knows word frequencies only scores at chance.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compactvl.data import pair_rules
from compactvl.data.curate import Curation
from compactvl.data.draws import by_split
from compactvl.data.kinds.brown_pairs import PARADIGMS, Settings
from compactvl.data.pair_rules import Candidate, Lexicon, Sentence
from compactvl.errors import UserError

SYNTAX = ("pronoun_case", "verb_form_after_modal_or_to")


@dataclass(frozen=True)
class Found:
    """A sentence with one way to spoil it; ``easy`` if the good word is the more frequent one."""

    sentence: Sentence
    candidate: Candidate
    easy: bool


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``brown_pairs``.

    Items: item_id, split, image_id (""), text_good, text_bad, phenomenon, field, word_good, word_bad, position
    (word index), group, source (the Brown sentence).
    """
    base = job.open_set(settings.brown, "brown", "brown")
    train = base.split("train")
    lexicon = Lexicon(zip(train["text"], train["tags"], strict=True))
    rows = []
    for split, wanted in (("val", settings.per_paradigm.val), ("test", settings.per_paradigm.test)):
        sentences = list(_sentences(base.split(split)))
        for paradigm in settings.paradigms:
            found = _find(paradigm, sentences, lexicon, settings.min_count)
            rng = np.random.default_rng([settings.seed, 37, PARADIGMS.index(paradigm), split == "test"])
            chosen = choose(found, wanted, rng)
            if len(chosen) < wanted:
                raise UserError(
                    f"{job.place}: only {len(chosen)} of {wanted} {split} pairs of {paradigm} found; lower "
                    f"per_paradigm.{split} or min_count, or hold out more documents"
                )
            rows += [_item(f"{paradigm}-{split}-{n:03d}", split, paradigm, pair) for n, pair in enumerate(chosen)]
    items = pd.DataFrame(rows)
    job.write(
        settings, items, text_only=True,
        pairs=by_split(items, "phenomenon", len),
        groups=by_split(items, "phenomenon", lambda own: own["group"].value_counts().sort_index().to_dict()),
        unigram_accuracy=by_split(items, "phenomenon", lambda own: unigram_accuracy(own, lexicon.counts)),
    )  # fmt: skip


def unigram_accuracy(items: pd.DataFrame, counts: Mapping[str, int]) -> float:
    """Return the share of the pairs whose good word is strictly more frequent than the bad one, by lower-case word."""
    good, bad = (items[column].str.lower().map(counts) for column in ("word_good", "word_bad"))
    return round(float((good > bad).mean()), 4)


def choose(found: Sequence[Found], number: int, rng: np.random.Generator) -> list[Found]:
    """Draw pairs: groups in turn, in each an easy and a hard one, varieties in turn, a sentence once.

    Returns:
        ``number`` pairs (an odd one leaves one easy pair without its hard one), or fewer if the groups run out.
    """
    cells: dict[tuple[str, bool], list[Found]] = defaultdict(list)
    for index in rng.permutation(len(found)):
        cells[found[index].candidate.group, found[index].easy].append(found[index])
    queues = {cell: _in_turn(own) for cell, own in sorted(cells.items())}
    groups = sorted({group for group, _ in queues})
    used: set[str] = set()
    chosen: list[Found] = []
    while groups and len(chosen) < number:
        for group in list(groups):
            two = []
            for easy in (True, False):
                one = next((f for f in queues.get((group, easy), iter(())) if f.sentence.item_id not in used), None)
                if one is not None:
                    used.add(one.sentence.item_id)
                    two.append(one)
            if len(two) < 2:
                groups.remove(group)
            else:
                chosen += two
    return chosen[:number]


def _in_turn(found: list[Found]) -> Iterator[Found]:
    """Yield one of each variety in turn, in the order within each."""
    varieties: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        varieties[one.candidate.variety].append(one)
    turns = [(n, variety) for variety, own in sorted(varieties.items()) for n in range(len(own))]
    return (varieties[variety][n] for n, variety in sorted(turns))


def as_written(word: str, sentence: Sentence, position: int) -> str:
    """Return a lower-case word as it is written there: capital where the sentence begins, and *I*.

    >>> as_written("him", Sentence("", ('"', "He", "left", "."), ("``", "pps", "vbd", ".")), 1)
    'Him'
    """
    first = next((n for n, w in enumerate(sentence.words) if w[0].isalnum()), None)
    good = sentence.words[position]
    capital = word == "i" or (good[0].isupper() and (good != "I" or position == first))
    return word[0].upper() + word[1:] if capital else word


def _find(paradigm: str, sentences: Sequence[Sentence], lexicon: Lexicon, min_count: int) -> list[Found]:
    found, rule = [], getattr(pair_rules, paradigm)
    for sentence in sentences:
        for candidate in rule(sentence, lexicon):
            at = candidate.position
            good, bad = lexicon.counts[sentence.lower[at]], lexicon.counts[candidate.bad]
            shouted = len(sentence.words[at]) > 1 and sentence.words[at].isupper()
            titled = any("-tl" in tag for tag in sentence.tags[max(0, at - 1) : at + 2])
            if min(good, bad) >= min_count and good != bad and not shouted and not titled:
                found.append(Found(sentence, candidate, good > bad))
    return found


def _sentences(items: pd.DataFrame) -> Iterator[Sentence]:
    seen: set[str] = set()
    for item_id, text, tags in zip(items["item_id"], items["text"], items["tags"], strict=True):
        sentence = Sentence(item_id, tuple(text.split(" ")), tuple(tags.split(" ")))
        if sentence.usable and text.lower() not in seen:
            seen.add(text.lower())
            yield sentence


def _item(item_id: str, split: str, paradigm: str, pair: Found) -> dict[str, object]:
    words, at = pair.sentence.words, pair.candidate.position
    bad = as_written(pair.candidate.bad, pair.sentence, at)
    return {
        "item_id": item_id, "split": split, "image_id": "",
        "text_good": " ".join(words), "text_bad": " ".join((*words[:at], bad, *words[at + 1 :])),
        "phenomenon": paradigm, "field": "syntax" if paradigm in SYNTAX else "morphology",
        "word_good": words[at], "word_bad": bad, "position": at,
        "group": pair.candidate.group, "source": pair.sentence.item_id,
    }  # fmt: skip
