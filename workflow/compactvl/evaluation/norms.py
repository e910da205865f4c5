"""What is known of words: how frequent they are in a body of text, and how concrete."""

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from compactvl.data.user_files import read_text
from compactvl.errors import UserError

WORD, RATING = "Word", "Conc.M"


def log_frequencies(words: Sequence[str], texts: Iterable[str]) -> np.ndarray:
    """Return the frequencies of ``words`` in ``texts``, ``(n,)`` float64: log10 of occurrences per million words.

    Words are lower-cased; texts are split at white space. A word seen c times among N words of V different ones has
    ``log10((c + 1) / (N + V) · 10⁶)``, so that unseen words have a frequency too (Brysbaert & Diependaele, 2013).

    Raises:
        ValueError: the texts have no word.
    """
    counts = Counter(word for text in texts for word in text.lower().split())
    total = counts.total() + len(counts)
    if not total:
        raise ValueError("frequencies need at least one word of text")
    seen = np.array([counts[word.lower()] for word in words], dtype=float)
    return np.log10((seen + 1) / total * 1_000_000)


def concreteness(words: Sequence[str], path: str | Path) -> np.ndarray:
    """Return the ratings of ``words`` by a file of norms, ``(n,)`` float64 from 1 to 5, NaN where it has none.

    Words are looked up lower-cased and as they are: the norms hold lemmas, and an inflected form (``dogs``) is not
    given its lemma's rating, which would be a guess that depends on the word's class.
    """
    norms = read_concreteness(path)
    return np.array([norms.get(word.lower(), math.nan) for word in words], dtype=float)


def read_concreteness(path: str | Path) -> dict[str, float]:
    """Read norms in the format of Brysbaert, Warriner & Kuperman (2014): tab-separated, with columns Word and Conc.M.

    Returns:
        Lower-cased word (or expression of two words) → mean rating. A word that comes again keeps its first rating.

    Raises:
        UserError: the file is missing, unreadable or not UTF-8, lacks a column, has no words, or holds a rating that is
            no number from 1 to 5; file, line and column are named.
    """
    path, norms = Path(path), {}
    if not os.path.isfile(path):
        raise UserError(f"{path}: no such file of concreteness norms; correct the path or leave `concreteness` out")
    text = io.StringIO(read_text(path), newline="")
    rows = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE, restval="")
    try:
        if missing := [name for name in (WORD, RATING) if name not in (rows.fieldnames or ())]:
            raise UserError(
                f"{path}, line 1: no column {' and no column '.join(missing)} in the header; "
                "norms are tab-separated, with the columns Word and Conc.M"
            )
        for row in rows:
            norms.setdefault(row[WORD].strip().lower(), _rating(row[RATING], f"{path}, line {rows.line_num}"))
    except csv.Error as error:
        raise UserError(f"{path}, line {rows.reader.line_num}: {error}; norms are tab-separated text") from error
    if not norms:
        raise UserError(f"{path}: no words below the header; get the norms again or leave `concreteness` out")
    return norms


def _rating(text: str, where: str) -> float:
    try:
        rating = math.nan if "_" in text else float(text)  # float takes 4_85 for 485
    except ValueError:
        rating = math.nan
    if not 1 <= rating <= 5:
        raise UserError(f"{where}, column {RATING}: {text!r} is not a number from 1 to 5; correct or delete the line")
    return rating
