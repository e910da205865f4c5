"""The rules that make an ungrammatical sentence from a tagged one by exchanging one word: a function a paradigm.

Every rule looks at Brown's gold tags and gives up where the changed sentence might still be English.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from compactvl.data import pair_words as lists
from compactvl.data.brown_tags import bare
from compactvl.data.inflection import IRREGULAR_NOUNS, IRREGULAR_VERBS, pasts_of, plural, third_person, with_ending

SHORTEST, LONGEST = 4, 30
SKIPPED_MARKS = ("-hl", "-nc", "nil", "fw-")
OPENING = {"``", "(", "--", ":", ";"}
NOMINAL = ("nn", "np", "nr")
VERBAL = ("vb", "be", "hv", "do", "md")
CLOSED_VERBS = {
    "is": "are", "was": "were", "has": "have", "does": "do",
    "isn't": "aren't", "wasn't": "weren't", "hasn't": "haven't", "doesn't": "don't",
}  # fmt: skip
CLOSED_TAGS = {"bez": "sg", "bedz": "sg", "hvz": "sg", "doz": "sg", "ber": "pl", "bed": "pl", "hv": "pl", "do": "pl"}
SUBJECT_PRONOUNS = {"he": "sg", "she": "sg", "it": "sg", "we": "pl", "they": "pl", "you": "pl", "i": "pl"}
# Share of a noun form's occurrences that may be tagged as the other number (slips of the corpus).
OTHER_NUMBER = 0.02
# Determiner of one: of many, and the tag of each.
DETERMINERS = {"this": "these", "that": "those", "much": "many", "each": "both"}
DETERMINER_TAGS = {
    "this": "dt", "these": "dts", "that": "dt", "those": "dts", "much": "ap", "many": "ap", "each": "dt", "both": "abx",
}  # fmt: skip
DESCRIBED = ("jj", "ap", "cd", "od", "vbn", "vbg", "nn", "nns")
CASES = {"he": "him", "they": "them", "we": "us", "i": "me"}
PAST_BASES = {("vbd", past): base for base, (past, _) in IRREGULAR_VERBS.items()} | {("dod", "did"): "do"}
PAST_BASES |= {("vbn", participle): base for base, (_, participle) in IRREGULAR_VERBS.items()}
HAVE = ("hv", "hvz", "hvd")
BE = ("be", "bed", "bedz", "beg", "bem", "ben", "ber", "bez")


@dataclass(frozen=True)
class Sentence:
    """A sentence of the Brown set: words as written, Brown's tags as they are."""

    item_id: str
    words: tuple[str, ...]
    tags: tuple[str, ...]

    @cached_property
    def lower(self) -> tuple[str, ...]:
        """The words in lower case."""
        return tuple(word.lower() for word in self.words)

    @cached_property
    def bare(self) -> tuple[str, ...]:
        """The tags without marks of titles and headlines."""
        return tuple(bare(tag) for tag in self.tags)

    @property
    def usable(self) -> bool:
        """Whether it is a whole sentence of ordinary length, no headline, nothing cited or foreign."""
        return (
            SHORTEST <= len(self.words) <= LONGEST
            and self.tags[-1] in (".", "''")
            and not any(mark in tag for tag in self.tags for mark in SKIPPED_MARKS)
        )

    def tag(self, i: int) -> str:
        """Return the bare tag at ``i``, ``""`` outside the sentence."""
        return self.bare[i] if 0 <= i < len(self.bare) else ""

    def word(self, i: int) -> str:
        """Return the lower-case word at ``i``, ``""`` outside the sentence."""
        return self.lower[i] if 0 <= i < len(self.lower) else ""


@dataclass(frozen=True)
class Candidate:
    """A possible minimal pair: at ``position`` the word ``bad``, in lower case, is wrong.

    Within a ``group`` frequent and rare good words are balanced, and each ``variety`` is drawn in turn.
    """

    position: int
    bad: str
    group: str
    variety: str


class Lexicon:
    """What the training split tells about words: how often, with which tags, which forms belong together."""

    def __init__(self, sentences: Iterable[tuple[str, str]]) -> None:
        """Count (text, tags) pairs, both of words separated by spaces."""
        self.counts: Counter[str] = Counter()
        self._tagged: Counter[tuple[str, str]] = Counter()
        for text, tags in sentences:
            words = text.lower().split(" ")
            self.counts.update(words)
            self._tagged.update(zip(words, map(bare, tags.split(" ")), strict=True))
        self.third: dict[str, str] = {}
        self.nouns: dict[str, str] = {}
        for word, tag in self._tagged:
            if tag == "vb" and self.is_tagged(third_person(word), "vbz"):
                self.third[word] = third_person(word)
            many = plural(word, IRREGULAR_NOUNS)
            if tag == "nn" and self.is_tagged(many, "nns") and word not in lists.ONE_FORM:
                self.nouns[word] = many
        self.base = {form: word for word, form in self.third.items()}
        self.singular = {form: word for word, form in self.nouns.items()}

    def is_tagged(self, word: str, *tags: str) -> bool:
        """Whether a word occurs with one of the tags."""
        return any((word, tag) in self._tagged for tag in tags)

    def other_forms(self, base: str) -> Iterator[tuple[str, str]]:
        """Yield (kind, form) of a verb's forms in -s, -ed and -ing that occur as such and differ from the base."""
        if base in self.third and not self.is_tagged(self.third[base], "nns", "nn"):
            yield "s", self.third[base]
        for form in pasts_of(base):
            if form != base and self.is_tagged(form, "vbd", "vbn"):
                yield "ed", form
                break
        for form in with_ending(base, "ing"):
            if self.is_tagged(form, "vbg"):
                yield "ing", form
                break

    def one_number(self, noun: str) -> bool:
        """Whether a noun form occurs as singular or as plural, hardly ever as both, and is no noun with one form."""
        one, many = self._tagged[noun, "nn"], self._tagged[noun, "nns"]
        return noun not in lists.ONE_FORM and min(one, many) <= OTHER_NUMBER * max(one, many) and one + many > 0


def subject_verb_agreement(s: Sentence, lexicon: Lexicon) -> Iterator[Candidate]:
    """Exchange *is/are, was/were, has/have, does/do*, and any verb's form for *he* and its base.

    The verb stands right after its subject, a pronoun or a noun phrase of determiner, adjectives and noun (or one name)
    that opens the sentence or a clause. Not after *and* without a comma (a second subject); no collective nouns ("the
    family are"); no *was* → *were* near *if, wish, though*; no *-s* → base near words that take the subjunctive
    ("insist").
    """
    for i in range(1, len(s.words)):
        word, tag = s.word(i), s.tag(i).removesuffix("*")
        number, kind = _subject(s, i)
        if tag in CLOSED_TAGS:
            own = CLOSED_TAGS[tag]
            pair = next((pair for pair in CLOSED_VERBS.items() if word in pair), None)
            group = "/".join(pair).replace("n't", "") if pair else ""
            bad = pair and pair[pair[0] == word]
        elif tag in ("vbz", "vb"):
            own = "sg" if tag == "vbz" else "pl"
            bad, group = (lexicon.base if tag == "vbz" else lexicon.third).get(word), "verb"
        else:
            continue
        if bad is None or own != number or (s.word(i - 1) == "i" and group in ("is/are", "was/were")):
            continue
        if own == "sg" and (lists.UNREAL if group == "was/were" else lists.SUBJUNCTIVE) & set(s.lower[:i]):
            continue
        yield Candidate(i, bad, group, kind)


def _subject(s: Sentence, verb: int) -> tuple[str, str]:
    """Return (sg or pl, pronoun or noun) of the subject right before a verb, ``("", "")`` if that is not sure."""
    j = verb - 1
    if s.tag(j) in ("pps", "ppss") and s.word(j) in SUBJECT_PRONOUNS:
        sure = s.tag(j - 1) != "cc" or j == 1 or s.tag(j - 2) in (",", ".", "``", "--")
        return (SUBJECT_PRONOUNS[s.word(j)], "pronoun") if sure else ("", "")
    if s.tag(j) == "np" and s.tags[j] == "np" and _opens_clause(s, j):
        return "sg", "noun"
    if s.tags[j] not in ("nn", "nns") or s.word(j) in lists.COLLECTIVE | lists.ONE_FORM - {"people"}:
        return "", ""
    number = "sg" if s.tag(j) == "nn" else "pl"
    j -= 1
    while s.tag(j) == "jj":
        j -= 1
    fits = s.tag(j) in ("at", "dt", "dts", "dti", "pp$")
    return (number, "noun") if fits and _opens_clause(s, j) else ("", "")


def _opens_clause(s: Sentence, j: int) -> bool:
    """Whether what begins at ``j`` opens the sentence or a clause, so that it must be a subject."""
    before = s.tag(j - 1)
    if j == 0 or before in OPENING:
        return True
    if before == "cc":
        return j == 1 or s.tag(j - 2) in OPENING
    return before in ("cs", "wrb") and s.word(j - 1) not in lists.LIKE


def determiner_noun_agreement(s: Sentence, lexicon: Lexicon) -> Iterator[Candidate]:
    """Exchange *this/these, that/those, much/many* or *each/both* before a noun, describing words between.

    Not where *and* follows the noun ("these man and woman"), which has one number in the training split.
    """
    for i, noun in _determined_nouns(s, lexicon):
        pair = next((pair for pair in DETERMINERS.items() if s.word(i) in pair), None)
        if pair is None or s.tag(i) != DETERMINER_TAGS[s.word(i)]:
            continue
        one = s.word(i) == pair[0]
        if s.tags[noun] == ("nn" if one else "nns") and s.tag(noun + 1) != "cc":
            yield Candidate(i, pair[one], "/".join(pair), "adjacent" if noun == i + 1 else "apart")


def noun_number_agreement(s: Sentence, lexicon: Lexicon) -> Iterator[Candidate]:
    """Exchange the noun after *this, that, a, an, each, every, another, one* or *these, those, many, few, several, both,
    two* ... *ten*, adjectives between.

    The noun has one number in the training split and is no noun with one form for both. It is not followed by what makes
    it part of a compound or measure ("two years old").
    """
    for i, noun in _determined_nouns(s, lexicon):
        plain = all(tag == "jj" for tag in s.bare[i + 1 : noun])
        if not plain or s.tag(noun + 1).startswith(("jj", "cc", "vbn", "cs")):
            continue
        if s.word(i) in lists.ONE_DETERMINERS and s.tags[noun] == "nn" and s.tag(i) in ("at", "dt", "cd"):
            bad, group = lexicon.nouns.get(s.word(noun)), "one"
        elif s.word(i) in lists.MANY_DETERMINERS and s.tags[noun] == "nns" and s.tag(i) in ("ap", "dts", "abx", "cd"):
            bad, group = lexicon.singular.get(s.word(noun)), "many"
        else:
            continue
        if bad and lexicon.one_number(bad):
            yield Candidate(noun, bad, group, s.word(i))


def _determined_nouns(s: Sentence, lexicon: Lexicon) -> Iterator[tuple[int, int]]:
    """Yield (determiner, noun) positions: the last noun of a phrase of nothing but describing words between them."""
    for i in range(len(s.words) - 2):
        noun = i + 1
        while s.tag(noun) in ("jj", "ap", "cd", "od", "vbn", "vbg", "nn") and s.tag(noun + 1) in DESCRIBED:
            noun += 1
        after = s.tag(noun + 1)
        whole = after and not after.startswith((*NOMINAL, "cd")) and "-" not in s.word(noun)
        if whole and s.tags[noun] in ("nn", "nns") and lexicon.one_number(s.word(noun)):
            yield i, noun


def pronoun_case(s: Sentence, lexicon: Lexicon) -> Iterator[Candidate]:
    """Exchange *he/him, they/them, we/us, I/me*.

    Subjects before a finite verb where a clause opens; objects after a verb or preposition and before no verb,
    conjunction or relative pronoun. Not after *like, than, but, as, except* ("like he did") and not after verbs of
    speech, where a turned-round subject may stand ("... , said he").
    """
    for i in range(len(s.words) - 1):
        word, before, after = s.word(i), s.tag(i - 1), s.tag(i + 1)
        for subject, object_ in CASES.items():
            if word == subject and s.tag(i) in ("pps", "ppss"):
                finite = after.removesuffix("*") in (*CLOSED_TAGS, "bem", "hvd", "dod", "md", "vbd", "vbz")
                opens = _opens_clause(s, i) or before in (",", "wdt")
                if finite and opens:
                    yield Candidate(i, object_, f"{subject}/{object_}", "start" if i == 0 else "clause")
            elif word == object_ and s.tag(i) == "ppo":
                governed = (
                    before in ("vb", "vbd", "vbg", "vbn", "vbz", "in")
                    and s.word(i - 1) not in lists.LIKE | lists.SPEECH
                )
                ends = not after.startswith((*VERBAL, "cc", "wps", "wpo", "wdt", "rb", "*", *NOMINAL, "cd", "ap", "pp"))
                if governed and ends:
                    yield Candidate(i, subject, f"{subject}/{object_}", "preposition" if before == "in" else "verb")


def verb_form_after_modal_or_to(s: Sentence, lexicon: Lexicon) -> Iterator[Candidate]:
    """Exchange the base form right after a modal or *to* for the form in *-s*, *-ed* or *-ing*.

    After *to* no *-ing* ("used to going"). Not before words that a participle could describe ("to improved schools"), no
    form in *-s* that is a noun too ("to works"), not after *need* and *dare*.
    """
    for i in range(1, len(s.words) - 1):
        group = {"md": "modal", "md*": "modal", "to": "to"}.get(s.tag(i - 1))
        fits = s.tag(i) == "vb" and s.tag(i + 1) in lists.AFTER_VERB and s.word(i - 1) not in lists.LEFT_OUT_MODALS
        for kind, form in lexicon.other_forms(s.word(i)) if group and fits else ():
            if group == "modal" or kind != "ing":
                yield Candidate(i, form, group, kind)


def irregular_past_participle(s: Sentence, lexicon: Lexicon) -> Iterator[Candidate]:
    """Exchange the past and the participle of an irregular verb.

    The past after its subject (pronoun, *who*, or a noun phrase as above) becomes the participle ("he gone"); the
    participle after *have* or *be* or before *by* becomes the past ("has went"). Where the participle looks like the
    base (*come, become, run*), only with a singular subject; *did* only as a full verb.
    """
    for i in range(1, len(s.words)):
        base = PAST_BASES.get((s.tag(i), s.word(i)))
        if base is None or (base == "do" and s.tag(i + 1) not in ("dt", "at", "pp$", "ppo", "wdt", "in", ",", ".")):
            continue
        past, participle = IRREGULAR_VERBS[base]
        if s.tag(i) != "vbn":
            j = i - 2 if s.tag(i - 1) == "rb" else i - 1
            subject = s.word(j) if s.tag(j) in ("pps", "ppss", "wps") else ""
            sure = subject in SUBJECT_PRONOUNS or subject == "who" or _subject(s, i)[1] == "noun"
            # Where the participle is the base as well, it would be the present of anything but one person.
            one = SUBJECT_PRONOUNS.get(subject) == "sg" or _subject(s, i)[0] == "sg"
            if sure and (one or participle != base):
                yield Candidate(i, participle, "past/participle", f"past {base}")
        elif _auxiliary(s, i) or s.word(i + 1) == "by":
            yield Candidate(i, past, "past/participle", f"participle {base}")


def _auxiliary(s: Sentence, participle: int) -> bool:
    """Whether a form of *have* or *be* stands before a participle, perhaps with an adverb or the subject between."""
    j = participle - 1
    while s.tag(j) in ("rb", "*") and j > participle - 3:
        j -= 1
    if s.tag(j) in ("pps", "ppss"):
        return s.tag(j - 1).removesuffix("*") in HAVE
    return s.tag(j).removesuffix("*").rpartition("+")[2] in (*HAVE, *BE)
