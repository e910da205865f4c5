"""Captions that are the same words."""

import numpy as np

from compactvl.data.pairs import Pairs


def test_equal_captions_have_one_number_in_the_order_of_their_letters():
    captions = ["b", "a", "é", "B", "", "a", "nan", "x" * 5000, "😀", "\uffff", "b"]
    pairs = Pairs(["one"], captions, np.zeros(len(captions), dtype=np.int64))
    assert pairs.text.tolist() == np.unique(captions, return_inverse=True)[1].tolist()
    assert pairs.text.dtype == np.int64
