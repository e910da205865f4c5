"""What DiDE's release trains on for VQA: a soft score for each known answer that an annotator gave."""

from collections import Counter
from collections.abc import Mapping, Sequence

from compactvl.data.vqa_answers import soft_score


def target_scores(given: Sequence[str], places: Mapping[str, int]) -> dict[int, float]:
    """Return place → score of the known answers that annotators gave: .3, .6, .9, 1 for 1, 2, 3, 4 or more of ten.

    Only the list's answers are in their normal form: what annotators gave counts as they wrote it, so that ``Two`` is no
    vote for ``2``. Evaluation is not like that (:func:`compactvl.data.vqa_answers.soft_scores`).

    Args:
        given: the annotators' answers. places: answer → its place in the list.
    """
    return {places[one]: soft_score(count, len(given)) for one, count in Counter(given).items() if one in places}
