"""BLiMP or its supplement: jsonl of sentence_good, sentence_bad, UID, field."""

from typing import Literal

from pydantic import Field

from compactvl.data.babylm import BabylmTask, Record, first_of, text_of, warn_of


class Settings(BabylmTask):
    """BLiMP or its supplement, the original jsonl files."""

    holds = frozenset({"minimal_pairs"})

    kind: Literal["blimp"] = Field(description="BLiMP's jsonl.")

    def columns(self, record: Record, where: str, stem: str) -> dict[str, str]:
        """Return text_good, text_bad, phenomenon, field, word_good, word_bad."""
        good, bad = text_of(record, "sentence_good", where), text_of(record, "sentence_bad", where)
        if good == bad:
            warn_of(where, "the good and the bad sentence are the same text")
        word_good, word_bad = different_words(good, bad)
        return {
            "text_good": good,
            "text_bad": bad,
            # The supplement's files have no UID: a file is a phenomenon.
            "phenomenon": first_of(record, "UID") or stem,
            "field": first_of(record, "field"),
            "word_good": word_good,
            "word_bad": word_bad,
        }


def different_words(good: str, bad: str) -> tuple[str, str]:
    """Return the one word in which two texts differ, of each; empty where they differ in more or in length.

    >>> different_words("He was here.", "He were here."), different_words("Go on.", "Go.")
    (('was', 'were'), ('', ''))
    """
    one, other = good.split(" "), bad.split(" ")
    pairs = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return pairs[0] if len(one) == len(other) and len(pairs) == 1 else ("", "")
