"""Ten annotators' answers to one question, in VQA's form, so that its soft score is real.

Each annotator independently gives the right answer, or differs: in an honest way where there is one (another word for it,
a more general word, a plural; one more or less where there are many to count), or by a slip. At most four of the ten
differ, so the right answer is the majority's and has the soft score 1; what several of the others agree on has a part of it.
"""

from collections.abc import Sequence

import numpy as np

from compactvl.data.kinds.scene_qa import Annotators

ANNOTATORS = 10
MOST = 4
"""Annotators who differ from the right answer."""


def ask_all(
    right: str, honest: Sequence[str], wrong: Sequence[str], settings: Annotators, rng: np.random.Generator
) -> list[str]:
    """Return ten answers.

    Args:
        right: the right answer. honest: others that an honest annotator may give, perhaps none.
        wrong: what one may give by a slip.
    """
    given = [right] * ANNOTATORS
    draws, places = rng.random((ANNOTATORS, 2)), range(ANNOTATORS)
    slips = {i: wrong for i in places if wrong and draws[i, 0] < settings.slip}
    differing = {i: honest for i in places if honest and draws[i, 0] >= 1 - settings.differ}
    for i, options in sorted((differing | slips).items())[:MOST]:
        given[i] = options[int(draws[i, 1] * len(options))]
    return given
