"""Tables of the report as data frames of finished text."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compactvl.evaluation.statistics import Interval, percentiles
from compactvl.evaluation.suite import OVERALL, TASK
from compactvl.reporting.claims import signed
from compactvl.reporting.study import NotRun
from compactvl.reporting.tables import MISSING
from compactvl.studies.encoder_roles import game
from compactvl.studies.encoder_roles.report.results import RolesResults, ScoresElsewhere, areas
from compactvl.studies.encoder_roles.report.scores import Scores

Study = RolesResults | ScoresElsewhere
NO_SCORES = NotRun("no subset was evaluated on the suite")


def unit(scores: Scores) -> float:
    """What scores are multiplied with to be in points: shares are, scores made elsewhere are points already."""
    return 100.0 if scores.draws is not None else 1.0


def points(interval: Interval, scale: float, sign: bool = False) -> str:
    """Return ``72.0 [70.1, 73.8]``; a value alone where it has no interval, and what is missing as ``–``."""
    if np.isnan(interval[0]):
        return MISSING
    value, low, high = (signed(scale * x, 1) if sign else f"{scale * x:.1f}" for x in interval)
    return value if np.isnan(interval[1]) else f"{value} [{low}, {high}]"


def roles_table(study: Study, name: str = OVERALL) -> pd.DataFrame | NotRun:
    """Return what each encoder is worth: Capacity, Necessity retrained and masked, utilisation, Shapley value, size, time.

    Args:
        name: ``overall``, an area or a task.
    """
    scores = study.scores.get(name)
    if scores is None:
        return NO_SCORES
    scale = unit(scores)
    columns = {
        "Capacity": (scores.intervals(game.capacity), scale, False),
        "Necessity": (scores.intervals(game.necessity), scale, True),
    }
    for fill in ("zero", "mean"):
        masked = study.scores.get(f"{fill}:{name}")
        if masked is not None:
            columns[f"masked by {fill}"] = (masked.intervals(game.necessity), scale, True)
            columns[f"CUR, {fill}"] = (masked.intervals(game.utilisation), 100.0, True)
    columns["Shapley value"] = (scores.intervals(game.shapley), scale, True)
    table = {"encoder": list(scores.pool)}
    table |= {title: [points(one, by, sign) for one in found] for title, (found, by, sign) in columns.items()}
    times = [study.milliseconds(encoder) for encoder in scores.pool]
    if any(times):
        table["encoding, ms an image"] = [MISSING if time is None else f"{time:.1f}" for time in times]
    return pd.DataFrame(table)


def agreement_table(study: Study) -> pd.DataFrame | NotRun:
    """Return, overall and by area, how far two orders of the encoders agree, and the information gap of masking."""
    rows = []
    for name in areas(study):
        scores = study.scores[name]
        for fill in ("zero", "mean"):
            masked = study.scores.get(f"{fill}:{name}")
            if masked is None:
                continue
            row = {"area": study.metric_label(name), "masked by": fill}
            for title, function in (("Kendall's τ", game.kendall), ("Spearman's ρ", game.spearman)):
                row[f"{title}, retrained against masked"] = number(both(scores, masked, function))
            row["information gap, masked"] = points(masked.interval(game.information_gap), 100.0)
            rows.append(row)
    return pd.DataFrame(rows) if rows else NotRun("no model was evaluated with encoders masked")


def both(scores: Scores, masked: Scores, function: object) -> Interval:
    """Return a comparison of the two Necessities with its interval."""
    value = float(function(game.necessity(scores.value), game.necessity(masked.value)))
    if scores.draws is None or masked.draws is None:
        return value, np.nan, np.nan
    return value, *percentiles(function(game.necessity(scores.draws), game.necessity(masked.draws))[:, None])[0]


def number(interval: Interval) -> str:
    """Return ``0.60 [0.20, 1.00]``; ``–`` for a value that is not defined."""
    if np.isnan(interval[0]):
        return MISSING
    value, low, high = (f"{x:.2f}".replace("-", "−") for x in interval)
    return value if np.isnan(interval[1]) else f"{value} [{low}, {high}]"


def subsets_table(study: Study) -> pd.DataFrame | NotRun:
    """Return every subset's score, overall and by area, the best first."""
    overall = study.scores.get(OVERALL)
    if overall is None:
        return NO_SCORES
    names = areas(study)
    found = {name: study.scores[name].intervals(lambda scores: scores) for name in names}
    order = [
        mask for mask in np.argsort(-np.nan_to_num(overall.value, nan=-np.inf)) if not np.isnan(overall.value[mask])
    ]
    rows = []
    for mask in order:
        row = {"encoders": overall.name(int(mask)), "number": str(int(mask).bit_count())}
        row |= {study.metric_label(name): points(found[name][mask], unit(overall)) for name in names}
        rows.append(row)
    return pd.DataFrame(rows)


def tasks_table(study: Study, subsets: Sequence[Sequence[str]]) -> pd.DataFrame | NotRun:
    """Return the score of some subsets (columns) on each task (rows)."""
    overall = study.scores.get(OVERALL)
    if overall is None:
        return NO_SCORES
    masks = [game.mask_of(subset, overall.pool) for subset in subsets]
    rows = []
    for name, scores in study.scores.items():
        if name.startswith(TASK):
            found = scores.intervals(lambda values: values[..., masks])
            row = {"task": study.metric_label(name).removeprefix(TASK)}
            rows.append(row | {overall.name(m): points(one, unit(scores)) for m, one in zip(masks, found, strict=True)})
    return pd.DataFrame(rows)


def best_table(study: Study) -> pd.DataFrame | NotRun:
    """Return the best subset of each size, and what of the whole pool's score it reaches."""
    scores = study.scores.get(OVERALL)
    if scores is None:
        return NO_SCORES
    rows = []
    for size, mask in enumerate(game.best_of_size(scores.value).tolist(), 1):
        reached = scores.value[mask] / scores.value[-1]
        rows.append(
            {
                "encoders": str(size),
                "best subset": scores.name(mask),
                "score": points(scores.intervals(lambda values, m=mask: values[..., [m]])[0], unit(scores)),
                "of the whole pool": f"{100 * reached:.1f} %",
                "less than the whole pool": points(
                    scores.interval(lambda values, m=mask: values[..., m] - values[..., -1]), unit(scores), sign=True
                ),
            }
        )
    return pd.DataFrame(rows)


def recommendation_table(study: Study) -> pd.DataFrame | NotRun:
    """Return who is the anchor, who the complement, who only costs, and what the pair saves.

    The anchor is the encoder of the largest Capacity; the complement the one that makes the best pair with it; all others
    only cost.
    """
    scores = study.scores.get(OVERALL)
    if scores is None or not np.isfinite(scores.value).any():
        return NO_SCORES
    pool, alone = scores.pool, game.capacity(scores.value)
    anchor = int(np.nanargmax(alone))
    partners = {i: scores.value[1 << anchor | 1 << i] for i in range(len(pool)) if i != anchor}
    complement = max(partners, key=lambda i: np.nan_to_num(partners[i], nan=-np.inf))
    pair, rest = 1 << anchor | 1 << complement, [i for i in range(len(pool)) if i not in (anchor, complement)]
    rows = [("anchor", pool[anchor], f"Capacity {unit(scores) * alone[anchor]:.1f}")]
    gain = scores.interval(lambda values: values[..., pair] - values[..., 1 << anchor])
    rows.append(("complement", pool[complement], f"adds {points(gain, unit(scores), sign=True)} to the anchor"))
    rows += [
        ("only cost", pool[i], f"Necessity {points(scores.intervals(game.necessity)[i], unit(scores), sign=True)}")
        for i in rest
    ]
    rows.append(
        (
            "the pair reaches",
            scores.name(pair),
            f"{100 * scores.value[pair] / scores.value[-1]:.1f} % of the whole pool",
        )
    )
    times = {name: study.milliseconds(name) for name in pool}
    if all(times.values()):
        spared = sum(times[pool[i]] for i in rest)
        text = f"{spared:.1f} of {sum(times.values()):.1f} ms an image"
        rows.append(("the pair saves", scores.name(pair), text))
    return pd.DataFrame(rows, columns=["role", "encoder", "why"])


def ranks_table(study: Study) -> pd.DataFrame | NotRun:
    """Return each encoder's effective rank alone and in the whole pool, before and after training."""
    scores = study.scores.get(OVERALL)
    by_set = {own: name for name, own in getattr(study, "encoders", {}).items()}
    if scores is None or not by_set:
        return NotRun("no run has effective ranks")
    rows = []
    for encoder in scores.pool:
        row = {"encoder": encoder}
        for title, own in (("alone", (encoder,)), ("in the whole pool", scores.pool)):
            found = study.ranks(by_set[own]) if own in by_set else {}
            row |= {
                f"{title}, {when}": f"{found[when][encoder]['image']:.2f}"
                if encoder in found.get(when, {})
                else MISSING
                for when in ("input", "before", "after")
                if title == "alone" or when != "input"
            }
        rows.append(row)
    return pd.DataFrame(rows).rename(columns={"alone, input": "tokens"})
