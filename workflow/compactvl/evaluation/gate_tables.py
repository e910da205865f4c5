"""The gates' predictions table: which column, which rows, which class of word.

One row a word of a caption (``source`` captions) or a probe item (``source`` probe). ``gate_<layer>`` is the gate at
the position that predicts the word, mean over its sub-word pieces and over features: towards 1 text, towards 0 image.
"The gate" without a layer is the last layer's, as in the paper.
"""

import numpy as np
import pandas as pd

CONTENT = ("NOUN", "VERB", "ADJ", "ADV", "NUM")
FUNCTION = ("DET", "ADP", "PRON", "CONJ", "PRT")
PUNCTUATION = "."
COLLAPSE = 0.01
"""A gate mixes text and image on a scale of 0 to 1. Where it varies from word to word by less (standard deviation), every word
gets the same mixture, however significant the differences are over thousands of words: the gates have collapsed."""


def gate_columns(table: pd.DataFrame) -> list[str]:
    """Return ``gate_0`` … in the layers' order.

    Raises:
        ValueError: there is none.
    """
    columns = [name for name in table if name.removeprefix("gate_").isdigit()]
    if not columns:
        raise ValueError("the predictions have no column gate_0: a model without gates has none to analyse")
    return sorted(columns, key=lambda name: int(name.removeprefix("gate_")))


def words_of(table: pd.DataFrame, source: str = "captions") -> pd.DataFrame:
    """Return the rows of a source with the columns ``gate`` (the last layer's, float64) and ``word_class``.

    A class is content, function or ``""``, which is neither: X, punctuation, untagged (universal tags).
    """
    words = table[table["source"] == source]
    classes = [words["pos"].isin(CONTENT), words["pos"].isin(FUNCTION)]
    return words.assign(
        gate=words[gate_columns(table)[-1]].to_numpy(dtype=float),
        word_class=np.select(classes, ["content", "function"], default="").astype(object),
    )


def tagged(words: pd.DataFrame) -> pd.DataFrame:
    """Return the words that have a part of speech; punctuation is no word."""
    return words[~words["pos"].isin(["", PUNCTUATION])]


def image_or_item(words: pd.DataFrame) -> pd.Series:
    """Return the image each word is about, or its item where that names none: words of one depend on each other."""
    return words["image_id"].where(words["image_id"] != "", words["item_id"])
