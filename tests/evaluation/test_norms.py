"""Norms of concreteness and frequencies of words."""

import math
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest

from compactvl.errors import UserError
from compactvl.evaluation.norms import concreteness, log_frequencies, read_concreteness

SHARED = Path(__file__).parents[3] / "shared"
BRYSBAERT = SHARED / "data" / "concreteness" / "Concreteness_ratings_Brysbaert_et_al_BRM.txt"
HEADER = "Word\tBigram\tConc.M\tConc.SD\r\n"


def test_read_and_look_up(tmp_path):
    file = tmp_path / "norms.txt"
    file.write_bytes(
        b"\xef\xbb\xbf" + (HEADER + 'Dog \t0\t4.85\t1\r\nice cream\t1\t5\t0\r\n"the\t0\t1.4\t1\r\n').encode()
    )
    assert read_concreteness(file) == {"dog": 4.85, "ice cream": 5.0, '"the': 1.4}
    assert concreteness(["DOG", "ice cream"], file).tolist() == [4.85, 5]
    assert np.isnan(concreteness(["dogs", "cat"], file)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Word\tRating\ndog\t4\n", r"norms.txt, line 1: no column Conc.M in the header"),
        ("", r"no column Word and no column Conc.M"),
        (HEADER + "dog\t0\t4.8\t1\ncat\t0\tfour\t1\n", r"norms.txt, line 3, column Conc.M: 'four' is not a number"),
        (HEADER + "dog\t0\n", r"line 2, column Conc.M: '' is not a number"),
        (HEADER + "dog\t0\tnan\t1\n", r"line 2, column Conc.M: 'nan'"),
        (HEADER + "dog\t0\t485\t1\n", r"line 2, column Conc.M: '485' is not a number from 1 to 5"),
        (HEADER + "dog\t0\t-1\t1\n", r"'-1' is not a number from 1 to 5"),
        (HEADER + "dog\t0\t4_85\t1\n", r"'4_85' is not a number from 1 to 5"),
        (HEADER, "no words below the header"),
        (HEADER + "x" * 140_000, r"norms.txt, line 2: field larger than field limit"),
    ],
)
def test_bad_norms_are_named(tmp_path, text, message):
    file = tmp_path / "norms.txt"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        read_concreteness(file)


def test_unreadable_norms(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no such file"):
        read_concreteness(tmp_path / "norms.txt")
    (tmp_path / "norms.txt").write_bytes(HEADER.encode() + b"dog\t0\t4\t1\n" * 5000 + b"caf\xe9\t0\t4.8\t1\n")
    with pytest.raises(UserError, match="line 5002 is not UTF-8"):
        read_concreteness(tmp_path / "norms.txt")
    monkeypatch.setattr(Path, "read_bytes", MagicMock(side_effect=PermissionError(13, "Permission denied")))
    with pytest.raises(UserError, match=r"cannot read .*norms\.txt: Permission denied"):
        read_concreteness(tmp_path / "norms.txt")


@pytest.mark.skipif(not BRYSBAERT.is_file(), reason="Brysbaert's norms are not on this machine")
def test_brysbaerts_norms():
    norms = read_concreteness(BRYSBAERT)
    assert len(norms) > 39_000
    assert 1 <= min(norms.values()) < max(norms.values()) == 5
    assert norms["roadsweeper"] == 4.85
    assert norms["dog"] > 4.5 > 2 > norms["the"]


def test_frequencies():
    frequencies = log_frequencies(["a", "SITS", "cat"], ["A dog", "a  Dog sits", ""])
    assert frequencies.tolist() == pytest.approx([math.log10(count / 8 * 1e6) for count in (3, 2, 1)])
    with pytest.raises(ValueError, match="at least one word"):
        log_frequencies(["a"], [])
