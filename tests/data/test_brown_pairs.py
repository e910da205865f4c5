"""Minimal pairs from Brown: every rule by hand-written sentences, the whole set by its tags and counts."""

from collections import Counter

import numpy as np
import pytest
from curating import make

from compactvl.data import pair_rules
from compactvl.data.brown_pairs import as_written, unigram_accuracy
from compactvl.data.inflection import IRREGULAR_VERBS
from compactvl.data.kinds.brown_pairs import PARADIGMS, Settings
from compactvl.data.pair_rules import Lexicon, Sentence
from compactvl.errors import UserError

# What the rules may know about words: a corpus of word/tag pairs.
KNOWN = """walk/vb walks/vbz walked/vbd walking/vbg go/vb goes/vbz went/vbd gone/vbn see/vb sees/vbz saw/vbd seen/vbn
    work/vb works/vbz works/nns work/nn worked/vbd working/vbg man/nn men/nns dog/nn dogs/nns year/nn years/nns
    house/nn houses/nns come/vb came/vbd come/vbn need/vb needs/vbz"""


@pytest.fixture(scope="module")
def lexicon():
    words, tags = zip(*(token.split("/") for token in KNOWN.split()), strict=True)
    return Lexicon([(" ".join(words), " ".join(tags))])


def changes(paradigm, tagged, lexicon):
    words, tags = zip(*(token.rsplit("/", 1) for token in tagged.split()), strict=True)
    sentence = Sentence("s", words, tags)
    return [(words[one.position], one.bad) for one in getattr(pair_rules, paradigm)(sentence, lexicon)]


@pytest.mark.parametrize(
    ("tagged", "expected"),
    [
        ("He/pps is/bez here/rb ./.", [("is", "are")]),
        ("They/ppss were/bed here/rb ./.", [("were", "was")]),
        ("I/ppss was/bedz here/rb ./.", []),
        ("I/ppss have/hv it/ppo ./.", [("have", "has")]),
        ("He/pps doesn't/doz* walk/vb ./.", [("doesn't", "don't")]),
        ("The/at old/jj man/nn walks/vbz ./.", [("walks", "walk")]),
        ("The/at dogs/nns walk/vb ./.", [("walk", "walks")]),
        # The noun before the verb need not be its subject.
        ("Men/nns with/in the/at dog/nn walk/vb ./.", []),
        ("John/np and/cc he/pps is/bez ./.", []),
        ("If/cs he/pps was/bedz here/rb ./.", []),
        ("The/at family/nn is/bez here/rb ./.", []),
        ("They/ppss insist/vb that/cs he/pps goes/vbz ./.", []),
        # Gold that does not agree is left alone.
        ("If/cs he/pps were/bed here/rb ./.", []),
    ],
)
def test_subject_verb_agreement(tagged, expected, lexicon):
    assert changes("subject_verb_agreement", tagged, lexicon) == expected


@pytest.mark.parametrize(
    ("paradigm", "tagged", "expected"),
    [
        ("determiner_noun_agreement", "This/dt old/jj man/nn left/vbd ./.", [("This", "these")]),
        ("determiner_noun_agreement", "In/in those/dts years/nns ,/, yes/rb ./.", [("those", "that")]),
        ("determiner_noun_agreement", "That/cs man/nn left/vbd ./.", []),
        ("determiner_noun_agreement", "This/dt man/nn and/cc dog/nn left/vbd ./.", []),
        ("determiner_noun_agreement", "These/dts people/nns left/vbd ./.", []),
        ("determiner_noun_agreement", "So/ql many/ap dogs/nns left/vbd ./.", [("many", "much")]),
        ("noun_number_agreement", "A/at dog/nn left/vbd ./.", [("dog", "dogs")]),
        ("noun_number_agreement", "Two/cd men/nns left/vbd ./.", [("men", "man")]),
        ("noun_number_agreement", "Two/cd years/nns old/jj ./.", []),
        ("noun_number_agreement", "A/at dog/nn house/nn burned/vbd ./.", [("house", "houses")][:0]),
        ("noun_number_agreement", "The/at dogs/nns left/vbd ./.", []),
        ("pronoun_case", "He/pps left/vbd ./.", [("He", "him")]),
        ("pronoun_case", "She/pps saw/vbd him/ppo ./.", [("him", "he")]),
        ("pronoun_case", "She/pps saw/vbd her/ppo ./.", []),
        ("pronoun_case", "It/pps fell/vbd on/in me/ppo ./.", [("me", "i")]),
        ("pronoun_case", "He's/pps+bez like/in me/ppo ./.", []),
        ("pronoun_case", "Nobody/pn asked/vbd him/ppo ./.", []),
        ("pronoun_case", "Let/vb them/ppo go/vb ./.", []),
        ("pronoun_case", "Taller/jjr than/cs he/pps is/bez ./.", []),
        ("verb_form_after_modal_or_to", "He/pps can/md walk/vb ./.", [("walk", b) for b in ("walks", "walked", "walking")]),
        ("verb_form_after_modal_or_to", "To/to walk/vb in/in ./.", [("walk", "walks"), ("walk", "walked")]),
        ("verb_form_after_modal_or_to", "To/to work/vb in/in ./.", [("work", "worked")]),
        ("verb_form_after_modal_or_to", "To/to walk/vb dogs/nns ./.", []),
        ("verb_form_after_modal_or_to", "They/ppss walk/vb ./.", []),
        ("irregular_past_participle", "He/pps went/vbd ./.", [("went", "gone")]),
        ("irregular_past_participle", "He/pps has/hvz never/rb gone/vbn ./.", [("gone", "went")]),
        ("irregular_past_participle", "The/at dogs/nns seen/vbn there/rb ./.", []),
        ("irregular_past_participle", "He/pps came/vbd ./.", [("came", "come")]),
        ("irregular_past_participle", "They/ppss came/vbd ./.", []),
    ],
)  # fmt: skip
def test_other_rules(paradigm, tagged, expected, lexicon):
    assert changes(paradigm, tagged, lexicon) == expected


def test_case_of_letters_follows_the_place():
    sentence = Sentence("", ('"', "I", "saw", "him", "and", "I", "left"), ("``", *"abcdef"))
    assert as_written("me", sentence, 1) == "Me"
    assert as_written("me", sentence, 5) == "me"
    assert as_written("i", sentence, 3) == "I"
    assert as_written("sees", sentence, 2) == "sees"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("sets")


@pytest.fixture(scope="module")
def brown(source_archive, root):
    return make(root, "brown", {"kind": "brown"}, {"brown": source_archive("brown")})


@pytest.fixture(scope="module")
def pairs(brown, root):
    return make(root, "brown_pairs", {"kind": "brown_pairs"})


def test_the_whole_set(pairs, brown):
    items = pairs.items
    assert Counter(zip(items["split"], items["phenomenon"], strict=True)) == {
        (split, paradigm): number for split, number in (("val", 60), ("test", 200)) for paradigm in PARADIGMS
    }
    assert set(items["image_id"]) == {""}
    counts = Counter(word for text in brown.split("train")["text"] for word in text.lower().split(" "))
    sources = brown.items.set_index("item_id")
    for item in items.itertuples():
        good, bad = item.text_good.split(" "), item.text_bad.split(" ")
        assert len(good) == len(bad)
        assert [(n, g, b) for n, (g, b) in enumerate(zip(good, bad, strict=True)) if g != b] == [
            (item.position, item.word_good, item.word_bad)
        ]
        assert min(counts[item.word_good.lower()], counts[item.word_bad.lower()]) >= 5
        assert sources.loc[item.source, "text"] == item.text_good
        assert sources.loc[item.source, "split"] == item.split
        assert 4 <= len(good) <= 30
        if item.phenomenon == "irregular_past_participle":
            assert {item.word_good.lower(), item.word_bad.lower()} in [set(forms) for forms in IRREGULAR_VERBS.values()]
    assert not items.duplicated(["split", "phenomenon", "text_good"]).any()
    assert not set(items["text_good"].str.lower()) & set(brown.split("train")["text"].str.lower())


def test_word_frequency_is_at_chance(pairs, brown):
    """The rule "the more frequent word is right", counted here anew, must not solve any paradigm."""
    counts = Counter(" ".join(brown.split("train")["text"]).lower().split(" "))
    for (split, paradigm), own in pairs.items.groupby(["split", "phenomenon"]):
        scores = [counts[g.lower()] > counts[b.lower()] for g, b in zip(own["word_good"], own["word_bad"], strict=True)]
        assert abs(np.mean(scores) - 0.5) <= 0.05
        assert pairs.manifest["unigram_accuracy"][split][paradigm] == pytest.approx(np.mean(scores), abs=1e-4)
    # Both directions of a symmetric exchange are equally frequent.
    test = pairs.items[pairs.items["split"] == "test"]
    plain = [test[column].str.lower().str.removesuffix("n't") for column in ("word_good", "word_bad")]
    words = Counter(zip(*plain, strict=True))
    for one, other in (("is", "are"), ("was", "were"), ("he", "him"), ("this", "these"), ("they", "them")):
        assert words[one, other] == words[other, one] > 10
    numbers = test[test["group"] == "verb"]
    assert abs(sum(g.endswith("s") for g in numbers["word_good"]) - len(numbers) / 2) <= 0.2 * len(numbers)


def test_unigram_accuracy_counts_ties_as_wrong(pairs):
    rows = pairs.items.head(3).assign(word_good=["a", "B", "c"], word_bad=["b", "a", "a"])
    assert unigram_accuracy(rows, Counter("aab")) == pytest.approx(1 / 3, abs=1e-4)


def test_same_settings_same_bytes(pairs, root):
    for seed, same in ((0, True), (1, False)):
        other = make(root, f"pairs_{seed}", {"kind": "brown_pairs", "seed": seed})
        equal = (other.folder / "items.parquet").read_bytes() == (pairs.folder / "items.parquet").read_bytes()
        assert equal is same


def test_mistakes_are_one_clear_line(pairs, root):
    with pytest.raises(UserError, match=r"datasets\.x\.brown: 'brown_pairs' is not a data set of kind brown"):
        make(root, "x", {"kind": "brown_pairs", "brown": "brown_pairs"})
    with pytest.raises(UserError, match=r"only \d+ of 5000 test pairs of subject_verb_agreement"):
        make(root, "x", {"kind": "brown_pairs", "per_paradigm": {"test": 5000}})
    with pytest.raises(ValueError, match="paradigms has the same name twice"):
        Settings(kind="brown_pairs", paradigms=("pronoun_case", "pronoun_case"))
