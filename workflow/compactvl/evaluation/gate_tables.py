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
"""Gates (0..1) that vary less from word to word, as a standard deviation, are constant for all purposes."""


def gate_columns(table: pd.DataFrame) -> list[str]:
    """Return ``gate_0`` … in the layers' order.

    Raises:
        ValueError: there is none.
    """
    columns = [name for name in table if name.removeprefix("gate_").isdigit()]
    if not columns:
        raise ValueError("the predictions have no column gate_0: a model without gates has none to analyse")
    return sorted(columns, key=lambda name: int(name.removeprefix("gate_")))


def words_of(table: pd.DataFrame) -> pd.DataFrame:
    """Return the captions' words with a float64 column ``gate`` (the last layer's) and ``word_class``."""
    words = table[table["source"] == "captions"]
    return words.assign(
        gate=words[gate_columns(table)[-1]].to_numpy(dtype=float), word_class=word_classes(words["pos"])
    )


def tagged_words(table: pd.DataFrame) -> pd.DataFrame:
    """Return the captions' words that have a part of speech; punctuation is no word."""
    words = words_of(table)
    return words[~words["pos"].isin(["", PUNCTUATION])]


def word_classes(pos: pd.Series) -> np.ndarray:
    """Return ``content``, ``function`` or ``""`` (neither: X, punctuation, untagged) for universal tags."""
    return np.select([pos.isin(CONTENT), pos.isin(FUNCTION)], ["content", "function"], default="").astype(object)
