"""The paper's claims about encoders' roles, as tests."""

import numpy as np

from compactvl.evaluation.statistics import Interval, percentiles
from compactvl.evaluation.suite import OVERALL
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Claim, Outcome, judge, missing, points, signed, times_needed
from compactvl.studies.encoder_roles import game
from compactvl.studies.encoder_roles.report.results import rank_changes
from compactvl.studies.encoder_roles.report.scores import Scores
from compactvl.studies.encoder_roles.report.tables import Study, both, number

SURE = 0.95
MARGIN = 0.01
"""Of a score: a pair that is at most so much worse than all encoders matches them."""
FEW_PAIRS = 6


def roles_claims(control: str) -> list[Claim]:
    """Return the paper's claims, then our controls; ``control``: an encoder that knows nothing."""
    return [
        Claim("order", "Retraining without an encoder and masking it order the encoders differently.", _orders),
        Claim("first", "They differ in which encoder is needed most.", _first),
        Claim("interchangeable", "Capacity and Necessity are not interchangeable: they order the encoders differently.", _alone),
        Claim("top_two", "The two encoders of the highest Capacities are not the best pair.", _top_two),
        Claim("pair", f"A pair matches the whole pool, to {100 * MARGIN:g} point.", _pair),
        Claim("complement", "The best complement of the anchor adds to it.", _complement),
        Claim("ranks", "A pair scores more where effective ranks survive joint training or expand.", _ranks),
        Claim("control_last", "The encoder that was never trained has the lowest Capacity.", lambda s: _lowest(s, control), "control"),
        Claim("control_idle", f"It is not needed: the pool without it is at most {100 * MARGIN:g} point worse.",
              lambda s: _idle(s, control), "control"),
        Claim("sighted", "Every encoder alone is better than none.", _sighted, "control"),
    ]  # fmt: skip


def _overall(study: Study) -> Scores | None:
    scores = study.scores.get(OVERALL)
    return scores if scores is not None and scores.draws is not None and scores.whole else None


def _masked(study: Study) -> Scores | None:
    masked = study.scores.get(f"zero:{OVERALL}")
    return masked if masked is not None and masked.draws is not None else None


def _orders(study: Study) -> Outcome:
    scores, masked = _overall(study), _masked(study)
    if scores is None or masked is None:
        return missing("all subsets, and the whole pool masked")
    found = both(scores, masked, game.kendall)
    verdict = HOLDS if found[2] < 1 else OPEN
    return Outcome(verdict, f"Kendall's τ {number(found)}")


def _first(study: Study) -> Outcome:
    scores, masked = _overall(study), _masked(study)
    if scores is None or masked is None:
        return missing("all subsets, and the whole pool masked")
    tops = [game.necessity(one.draws).argmax(-1) for one in (scores, masked)]
    names = [one.pool[int(game.necessity(one.value).argmax())] for one in (scores, masked)]
    return _share(float((tops[0] != tops[1]).mean()), f"retrained {names[0]}, masked {names[1]}; they differ")


def _alone(study: Study) -> Outcome:
    scores = _overall(study)
    if scores is None:
        return missing("all subsets")
    value, draws = scores.of(lambda v: game.kendall(game.capacity(v), game.necessity(v)))
    low, high = percentiles(draws[:, None])[0]
    return Outcome(HOLDS if high < 1 else OPEN, f"Kendall's τ {number((float(value), low, high))}")


def _top_two(study: Study) -> Outcome:
    scores = _overall(study)
    if scores is None or len(scores.pool) <= 2:
        return missing("all subsets of more than two encoders")

    def same(values: np.ndarray) -> np.ndarray:
        order = np.argsort(-game.capacity(values), axis=-1)[..., :2]
        return (1 << order).sum(-1) == game.best_of_size(values)[..., 1]

    best = scores.name(int(game.best_of_size(scores.value)[1]))
    top = [scores.pool[i] for i in np.argsort(-game.capacity(scores.value))[:2]]
    return _share(
        1 - float(same(scores.draws).mean()), f"highest Capacities {' and '.join(top)}, best pair {best}; they differ"
    )


def _share(share: float, evidence: str) -> Outcome:
    verdict = HOLDS if share >= SURE else FAILS if share <= 1 - SURE else OPEN
    return Outcome(verdict, f"{evidence} in {100 * share:.0f} % of the resamples")


def _judged(intervals: list[Interval], evidence: str, margin: float = 0.0) -> Outcome:
    verdict = judge(intervals, margin)
    return Outcome(verdict, evidence, times_needed(intervals, margin) if verdict == OPEN else None)


def _pair(study: Study) -> Outcome:
    scores = _overall(study)
    if scores is None or len(scores.pool) <= 2:
        return missing("all subsets of more than two encoders")
    pair = int(game.best_of_size(scores.value)[1])
    found = scores.interval(lambda values: values[..., pair] - values[..., -1])
    return _judged([found], f"{scores.name(pair)} against all: {points(found)}", MARGIN)


def _complement(study: Study) -> Outcome:
    scores = _overall(study)
    if scores is None:
        return missing("all subsets")
    anchor = int(game.capacity(scores.value).argmax())
    partner = max((i for i in range(len(scores.pool)) if i != anchor), key=lambda i: scores.value[1 << anchor | 1 << i])
    found = scores.interval(lambda values: values[..., 1 << anchor | 1 << partner] - values[..., 1 << anchor])
    return _judged([found], f"{scores.pool[partner]} beside {scores.pool[anchor]}: {points(found)}")


def _ranks(study: Study) -> Outcome:
    """Regress what the two Capacities leave over of a pair's score on the sum of the two changes of rank."""
    scores, table = _overall(study), rank_changes(study)
    if scores is None or len(table) < FEW_PAIRS or table[["a_rank", "b_rank"]].isna().any(axis=None):
        return missing("all pairs, with effective ranks")
    alone = dict(zip(scores.pool, game.capacity(scores.value), strict=True))
    design = np.stack(
        [np.ones(len(table)), [alone[a] + alone[b] for a, b in zip(table["a"], table["b"], strict=True)]], 1
    )
    left = table["score"] - design @ np.linalg.lstsq(design, table["score"], rcond=None)[0]
    change = np.log(table["a_rank"] * table["b_rank"])
    slope, r = np.polyfit(change, left, 1)[0], float(np.corrcoef(change, left)[0, 1])
    rng = np.random.default_rng(0)
    shuffled = [np.corrcoef(rng.permutation(change), left)[0, 1] for _ in range(10_000)]
    chance = float(np.mean(np.abs(shuffled) >= abs(r)))
    verdict = OPEN if chance > 1 - SURE else HOLDS if slope > 0 else FAILS
    return Outcome(
        verdict,
        f"{len(table)} pairs, correlation of rank change with what Capacities leave {signed(r, 2)}, p = {chance:.2f}",
    )


def _lowest(study: Study, control: str) -> Outcome:
    scores = _overall(study)
    if scores is None or control not in scores.pool:
        return missing(f"all subsets with {control}")
    place = scores.pool.index(control)
    others = [i for i in range(len(scores.pool)) if i != place]
    gaps = scores.intervals(lambda v: game.capacity(v)[..., others] - game.capacity(v)[..., [place]])
    nearest = min(range(len(others)), key=lambda i: gaps[i][0])
    return _judged(gaps, f"the next, {scores.pool[others[nearest]]}: {points(gaps[nearest])}")


def _idle(study: Study, control: str) -> Outcome:
    scores = _overall(study)
    if scores is None or control not in scores.pool:
        return missing(f"all subsets with {control}")
    value, low, high = scores.intervals(game.necessity)[scores.pool.index(control)]
    return _judged([(-value, -high, -low)], f"Necessity {points((value, low, high))}", MARGIN)


def _sighted(study: Study) -> Outcome:
    scores = _overall(study)
    if scores is None:
        return missing("all subsets")
    gaps = scores.intervals(lambda values: game.capacity(values) - values[..., :1])
    least = min(range(len(gaps)), key=lambda i: gaps[i][0])
    return _judged(gaps, f"the least, {scores.pool[least]}: {points(gaps[least])}")
