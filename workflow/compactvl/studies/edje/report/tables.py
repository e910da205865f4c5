"""Tables of EDJE's report as data frames of finished text."""

import json
from collections.abc import Sequence

import pandas as pd

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.statistics import bootstrap_interval
from compactvl.evaluation.winoground import CHANCE
from compactvl.reporting.study import Estimate, NotRun, flat
from compactvl.reporting.tables import MISSING, per_cent
from compactvl.studies.edje.report.results import EXCHANGED, NAMES, SCENES, SWAPS, TITLES, EdjeResults

COLUMNS = {direction: title.replace(" → ", "→") for direction, title in TITLES.items()}
RELATIVE_ROUNDING = 1e-6
"""Scores this near, relative to their size, differ by rounding only (float32)."""


def retrieval_table(study: EdjeResults, variants: Sequence[str], *, benchmark: str = SCENES) -> pd.DataFrame | NotRun:
    """Return R@1 with its interval and R@5, R@10 of each variant, both directions, and chance (the paper's Table 1).

    Args:
        variants: in this order; those not evaluated are left out.
    """
    variants = study.measured(benchmark, variants)
    if not variants:
        return NotRun(f"none of these variants was evaluated on {benchmark}")
    metrics = {f"{name} R@{k}": f"{direction}_r{k}" for direction, name in COLUMNS.items() for k in (1, 5, 10)}
    rows = []
    for variant in variants:
        found = {name: study.estimate(variant, benchmark, metric) for name, metric in metrics.items()}
        cells = {name: per_cent(estimate, interval=name.endswith("@1")) for name, estimate in found.items()}
        rows.append({"model": study.label(variant)} | cells)
    chance = {name: f"{100 * estimate.chance:.1f}" for name, estimate in found.items()}
    return pd.DataFrame([*rows, {"model": "Chance"} | chance])


def cost_table(study: EdjeResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return R@1, kB an image, parameters and milliseconds for 64 pairs of each variant (the paper's Table 2)."""
    rows = []
    for variant in study.measured(SCENES, variants):
        tokens, size = study.tokens(variant), study.kilobytes(variant)
        parameters = study.parameters.loc[study.parameters["variant"] == variant, "parameters"].sum()
        timed = study.timings.query("variant == @variant and source == 'memory' and pairs == 64 and batch == 64")
        rows.append(
            {
                "model": study.label(variant),
                "T→I R@1": per_cent(study.estimate(variant, SCENES, "t2i_r1"), interval=False),
                "I→T R@1": per_cent(study.estimate(variant, SCENES, "i2t_r1"), interval=False),
                "tokens": MISSING if tokens is None else str(tokens),
                "kB/image": MISSING if size is None else f"{size:,.1f}",
                "parameters": MISSING if not parameters else f"{parameters / 1e6:.2f} M",
                "ms for 64 pairs": MISSING if timed.empty else f"{timed['ms'].iloc[0]:.2f}",
            }
        )
    return pd.DataFrame(rows) if rows else NotRun(f"none of these variants was evaluated on {SCENES}")


def throughput_table(study: EdjeResults) -> pd.DataFrame | NotRun:
    """Return every timing: variant, source of the tokens, batch, pairs/s, milliseconds with quartiles."""
    rows = study.timings
    if rows.empty:
        return NotRun("nothing was timed")
    return pd.DataFrame(
        {
            "model": rows["variant"].map(study.label),
            "tokens from": rows["source"],
            "precision": rows["precision"],
            "tokens": rows["tokens"].astype(int).astype(str),
            "batch": rows["batch"].astype(int).astype(str),
            "pairs / s": rows["pairs_per_s"].map("{:,.0f}".format),
            "ms a call": [f"{r.ms:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in rows.itertuples()],
        }
    )


def environment_table(study: EdjeResults) -> pd.DataFrame | NotRun:
    """Return what the timings depend on: device, threads, precision, processor, versions."""
    facts = flat(study.timing_environment)
    rows = [{"fact": name.removeprefix("packages."), "value": str(value)} for name, value in facts.items()]
    return pd.DataFrame(rows) if rows else NotRun("nothing was timed")


def swaps_table(study: EdjeResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return text, image and group score with their intervals by kind of exchange, and how often captions tie.

    ``group score is`` says on which side of chance the group score's whole interval lies. ``tied`` is the share of
    images to which both captions score the same, within float32's rounding.
    """
    variants = study.measured(SWAPS, variants)
    if not variants:
        return NotRun(f"no variant was evaluated on {SWAPS}")
    rows = []
    for variant in variants:
        for kind, tied in caption_ties(study, variant).items():
            found = {s: study.estimate(variant, SWAPS, f"{s}/{kind}" if kind else s) for s in CHANCE}
            row = {"model": study.label(variant), "exchanged": EXCHANGED.get(kind, kind) or "all"}
            row |= {"items": str(found["group"].n)} | {f"{s} score": per_cent(e) for s, e in found.items()}
            rows.append(row | {"group score is": _side(found["group"]), "tied": f"{100 * tied:.0f}"})
    chance = {f"{score} score": f"{100 * level:.1f}" for score, level in CHANCE.items()}
    return pd.DataFrame([*rows, {"model": "Chance"} | chance]).fillna(MISSING)


def _side(found: Estimate) -> str:
    return "above chance" if found.low > found.chance else "below chance" if found.high < found.chance else MISSING


def caption_ties(study: EdjeResults, variant: str) -> dict[str, float]:
    """Return kind of exchange (``""``: all, first) → share of images to which both captions score the same."""
    table = pd.concat(study.predictions(variant, SWAPS).values())
    scale = RELATIVE_ROUNDING * table[["s00", "s01", "s10", "s11"]].abs().max(axis=1)
    tied = ((table["s00"] - table["s10"]).abs() <= scale).astype(float)
    tied = (tied + ((table["s01"] - table["s11"]).abs() <= scale)) / 2
    return {"": float(tied.mean()), **tied.groupby(table["kind"].astype(str)).mean().to_dict()}


def concepts_table(
    study: EdjeResults, variants: Sequence[str], *, queries: CanonicalSet | None, trained: CanonicalSet | None
) -> pd.DataFrame | NotRun:
    """Return R@1 on names, split by whether scenes of the training set show the concept.

    Args:
        queries: the names, items with ``concept``. trained: the scenes; ``None``: not on disk.
    """
    variants = study.measured(NAMES, variants)
    if queries is None or trained is None or not variants:
        return NotRun(f"{NAMES} was not evaluated, or a data set is not on disk")
    scenes = trained.images.loc[trained.images["split"] == "train", "meta"]
    shown = {thing["concept"] for meta in scenes for thing in json.loads(meta).get("objects", ())}
    seen = queries.items.drop_duplicates("image_id").set_index("image_id")["concept"].isin(shown)
    rows = []
    for variant in variants:
        for title, wanted in {"in scenes": True, "not in scenes": False}.items():
            row = {"model": study.label(variant), "concept": title}
            for direction, name in COLUMNS.items():
                hits = study.items(variant, NAMES, f"{direction}_r1")
                hits = hits[hits["cluster"].map(seen).eq(wanted)]
                found = Estimate(*bootstrap_interval(hits["value"], hits["cluster"])) if len(hits) else None
                row |= {"images": str(hits["cluster"].nunique()), f"{name} R@1": per_cent(found)}
            rows.append(row)
    return pd.DataFrame(rows)
