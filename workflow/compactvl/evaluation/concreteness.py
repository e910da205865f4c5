"""Concreteness norms in the format of Brysbaert, Warriner & Kuperman (2014): how concrete a word is, from 1 to 5."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from compactvl.errors import UserError

WORD, RATING = "Word", "Conc.M"


def read_concreteness(path: str | Path) -> dict[str, float]:
    """Read a file of norms: tab-separated, with a header that has the columns ``Word`` and ``Conc.M``.

    Returns:
        Lower-cased word (or expression of two words) → mean rating. A word that comes again keeps its first rating.

    Raises:
        UserError: the file is missing or not UTF-8, lacks a column, or holds a rating that is no number; file, line
            and column are named.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file of concreteness norms; correct the path or leave `concreteness` out")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _ratings(path, csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 (byte {error.start}); save the norms as UTF-8 text") from None


def concreteness_of(words: Sequence[str], norms: Mapping[str, float]) -> np.ndarray:
    """Return the ratings of ``words``, ``(n,)`` float64, NaN where the norms have none.

    Words are looked up lower-cased and as they are: the norms hold lemmas, and an inflected form (``dogs``) is not
    given its lemma's rating, which would be a guess that depends on the word's class.
    """
    return np.array([norms.get(word.lower(), math.nan) for word in words], dtype=float)


def _ratings(path: Path, lines) -> dict[str, float]:
    header = next(lines, [])
    if missing := [name for name in (WORD, RATING) if name not in header]:
        raise UserError(
            f"{path}, line 1: no column {' and no column '.join(missing)} in the header; "
            "norms are tab-separated, with the columns Word and Conc.M"
        )
    word, rating = header.index(WORD), header.index(RATING)
    norms: dict[str, float] = {}
    for row in lines:
        if not row:
            continue
        text = row[rating] if len(row) > max(word, rating) else ""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UserError(
                f"{path}, line {lines.line_num}, column {RATING}: {text!r} is not a number; correct or delete the line"
            )
        norms.setdefault(row[word].lower(), value)
    return norms
