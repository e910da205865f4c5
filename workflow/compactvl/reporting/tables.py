"""Tables as data frames of finished text, and their HTML and LaTeX."""

import json
from typing import Any

import pandas as pd

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.statistics import bootstrap_interval
from compactvl.evaluation.winoground import CHANCE
from compactvl.reporting.labels import KINDS, label
from compactvl.reporting.study import Estimate, NotRun, StudyResults
from compactvl.reporting.style import DIRECTION_TITLES

MISSING = "–"
RELATIVE_ROUNDING = 1e-6
"""Scores this near, relative to their size, differ by rounding only (float32)."""
LATEX_SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "→": r"$\rightarrow$",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    "−": "$-$",
    "–": "--",
}
STYLE = (
    "<style>table.compactvl{border-collapse:collapse;margin:.6em 0;font-size:.92em}"
    "table.compactvl th{border-bottom:1px solid #444;border-top:2px solid #444}"
    "table.compactvl td,table.compactvl th{padding:.25em .7em;vertical-align:top;text-align:left!important}"
    "table.compactvl tr:last-child td{border-bottom:2px solid #444}"
    "table.compactvl tbody tr:nth-child(even){background:#f6f6f6}</style>"
)


def per_cent(estimate: Estimate | None, interval: bool = True) -> str:
    """Return ``81.3 [77.9, 84.6]``, with ``± sd`` over seeds where there are several."""
    if estimate is None:
        return MISSING
    text = f"{100 * estimate.value:.1f}"
    if estimate.sd is not None:
        text += f" ± {100 * estimate.sd:.1f}"
    return f"{text} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]" if interval else text


def retrieval_table(study: StudyResults, variants: list[str], *, benchmark: str = "scenes") -> pd.DataFrame | NotRun:
    """Return R@1 with its interval and R@5, R@10 of each variant, both directions, and chance (the paper's Table 1).

    Args:
        variants: in this order; those not evaluated are left out.
    """
    variants = study.measured(benchmark, variants)
    if not variants:
        return NotRun(f"none of these variants was evaluated on {benchmark}")
    rows = []
    for variant in variants:
        row = {"model": label(variant)}
        for direction, title in DIRECTION_TITLES.items():
            short = title.replace(" → ", "→")
            for k in (1, 5, 10):
                found = study.estimate(variant, benchmark, f"{direction}_r{k}")
                row[f"{short} R@{k}"] = per_cent(found, interval=k == 1)
        rows.append(row)
    chance = [study.estimate(variants[0], benchmark, f"{d}_r{k}").chance for d in DIRECTION_TITLES for k in (1, 5, 10)]
    rows.append(dict(zip(rows[0], ["Chance", *(f"{100 * level:.1f}" for level in chance)], strict=True)))
    return pd.DataFrame(rows)


def cost_table(study: StudyResults, variants: list[str], *, benchmark: str = "scenes") -> pd.DataFrame | NotRun:
    """Return R@1, kB an image, parameters and milliseconds for 64 pairs of each variant (the paper's Table 2)."""
    variants = study.measured(benchmark, variants)
    if not variants:
        return NotRun(f"none of these variants was evaluated on {benchmark}")
    rows = []
    for variant in variants:
        timed = study.efficiency
        timed = timed[(timed["variant"] == variant) & (timed["source"] == "memory") & (timed["pairs"] == 64)]
        timed = timed[timed["batch"] == 64]
        size = study.kilobytes(variant)
        parameters = study.parameters.loc[study.parameters["variant"] == variant, "parameters"].sum()
        rows.append(
            {
                "model": label(variant),
                "T→I R@1": per_cent(study.estimate(variant, benchmark, "t2i_r1"), interval=False),
                "I→T R@1": per_cent(study.estimate(variant, benchmark, "i2t_r1"), interval=False),
                "tokens": MISSING if study.tokens(variant) is None else str(study.tokens(variant)),
                "kB/image": MISSING if size is None else f"{size:,.1f}",
                "parameters": MISSING if not parameters else f"{parameters / 1e6:.2f} M",
                "ms for 64 pairs": MISSING if timed.empty else f"{timed['ms'].iloc[0]:.2f}",
            }
        )
    return pd.DataFrame(rows)


def parameter_table(study: StudyResults, variants: list[str]) -> pd.DataFrame | NotRun:
    """Return parameters by part (rows) and variant (columns)."""
    table = study.parameters[study.parameters["variant"].isin(variants)]
    if table.empty:
        return NotRun("parameters.csv was not written")
    order = [variant for variant in variants if variant in set(table["variant"])]
    wide = table.pivot_table(index="part", columns="variant", values="parameters", aggfunc="sum", sort=False)[order]
    text = wide.map(lambda value: MISSING if pd.isna(value) else f"{int(value):,}")
    return text.rename(columns=label).rename_axis(columns=None).reset_index()


def throughput_table(study: StudyResults) -> pd.DataFrame | NotRun:
    """Return every timing: variant, source of the tokens, batch, pairs/s, milliseconds with quartiles."""
    rows = study.efficiency
    if rows.empty:
        return NotRun("nothing was timed")
    table = pd.DataFrame(
        {
            "model": rows["variant"].map(label),
            "tokens from": rows["source"],
            "tokens": rows["tokens"].astype(int).astype(str),
            "batch": rows["batch"].astype(int).astype(str),
            "pairs / s": rows["pairs_per_s"].map("{:,.0f}".format),
            "ms a call": [f"{r.ms:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in rows.itertuples()],
        }
    )
    if "precision" in rows:
        table.insert(2, "precision", rows["precision"].fillna(MISSING))
    return table


def swaps_table(study: StudyResults, variants: list[str], *, benchmark: str = "swaps") -> pd.DataFrame | NotRun:
    """Return text, image and group score with their intervals by kind of exchange, and how often captions tie.

    ``tied`` is the share of images to which both captions score the same, within float32's rounding.
    """
    variants = study.measured(benchmark, variants)
    if not variants:
        return NotRun(f"no variant was evaluated on {benchmark}")
    rows = []
    for variant in variants:
        ties = caption_ties(study, variant, benchmark)
        for kind in ["", *sorted(set(ties) - {""})]:
            row = {"model": label(variant), "exchanged": KINDS.get(kind, kind) or "all"}
            for score in CHANCE:
                found = study.estimate(variant, benchmark, f"{score}/{kind}" if kind else score)
                row |= {"items": str(found.n), f"{score} score": per_cent(found)}
            rows.append(row | {"tied": f"{100 * ties[kind]:.0f}"})
    chance = {f"{score} score": f"{100 * level:.1f}" for score, level in CHANCE.items()}
    rows.append({"model": "Chance", "exchanged": MISSING, "items": MISSING, **chance, "tied": MISSING})
    return pd.DataFrame(rows)


def caption_ties(study: StudyResults, variant: str, benchmark: str = "swaps") -> dict[str, float]:
    """Return kind of exchange (``""``: all) → share of images to which both captions score the same."""
    table = pd.concat(study.predictions(variant, benchmark).values())
    scale = RELATIVE_ROUNDING * table[["s00", "s01", "s10", "s11"]].abs().max(axis=1)
    tied = ((table["s00"] - table["s10"]).abs() <= scale).astype(float)
    tied = (tied + ((table["s01"] - table["s11"]).abs() <= scale)) / 2
    return {"": float(tied.mean()), **tied.groupby(table["kind"].astype(str)).mean().to_dict()}


def concepts_table(
    study: StudyResults,
    variants: list[str],
    *,
    queries: CanonicalSet | None,
    trained: CanonicalSet | None,
    benchmark: str = "names",
) -> pd.DataFrame | NotRun:
    """Return R@1 on a benchmark of single concepts, split by whether scenes of the training set show the concept.

    Args:
        queries: the benchmark's data set, items with ``concept``. trained: the scenes; ``None``: not on disk.
    """
    variants = study.measured(benchmark, variants)
    if queries is None or trained is None or not variants:
        return NotRun(f"{benchmark} was not evaluated, or a data set is not on disk")
    scenes = trained.images.loc[trained.images["split"] == "train", "meta"]
    shown = {thing["concept"] for meta in scenes for thing in json.loads(meta).get("objects", ())}
    seen = queries.items.drop_duplicates("image_id").set_index("image_id")["concept"].isin(shown)
    rows = []
    for variant in variants:
        for title, wanted in {"in scenes": True, "not in scenes": False}.items():
            row = {"model": label(variant), "concept": title}
            for direction, name in DIRECTION_TITLES.items():
                hits = study.hits(variant, benchmark, direction)
                hits = hits[hits["cluster_id"].map(seen).eq(wanted)]
                text = MISSING
                if len(hits):
                    mean, low, high = bootstrap_interval(hits["hit"], hits["cluster_id"])
                    text = f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
                row |= {"images": str(hits["cluster_id"].nunique()), f"{name.replace(' → ', '→')} R@1": text}
            rows.append(row)
    return pd.DataFrame(rows)


def environment_table(study: StudyResults) -> pd.DataFrame | NotRun:
    """Return what the timings depend on: device, threads, precision, processor, versions."""
    facts = _flat(study.timing_environment)
    rows = [{"fact": key.removeprefix("packages."), "value": _shown(value)} for key, value in facts.items() if key]
    return pd.DataFrame(rows) if rows else NotRun("nothing was timed")


def settings_difference(study: StudyResults, a: str, b: str) -> pd.DataFrame | NotRun:
    """Return the settings in which two runs differ: the key, the value in ``a`` and in ``b``."""
    left, right = study.settings(a), study.settings(b)
    if left is None or right is None:
        return NotRun(f"{a if left is None else b} was not trained")
    flat_a, flat_b = _flat(left), _flat(right)
    rows = [
        {"setting": key, label(a): _shown(flat_a.get(key)), label(b): _shown(flat_b.get(key))}
        for key in sorted(flat_a.keys() | flat_b.keys())
        if flat_a.get(key) != flat_b.get(key) and key.split(".")[0] not in ("benchmarks", "seeds")
    ]
    return pd.DataFrame(rows) if rows else NotRun(f"{a} and {b} have the same settings")


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _shown(value: Any) -> str:
    return MISSING if value is None else str(value)


def table_html(table: pd.DataFrame) -> str:
    """Return a table as HTML in the report's style; cells are escaped."""
    return STYLE + table.to_html(index=False, border=0, classes="compactvl", escape=True, na_rep=MISSING)


def table_latex(table: pd.DataFrame) -> str:
    """Return a table as LaTeX for the ``booktabs`` package; text is escaped."""
    lines = [r"\begin{tabular}{" + "l" * table.shape[1] + "}", r"\toprule", _latex_row(table.columns), r"\midrule"]
    lines += [_latex_row(row) for row in table.itertuples(index=False, name=None)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_row(cells: Any) -> str:
    escaped = ["".join(LATEX_SPECIAL.get(c, c) for c in str(cell)) for cell in cells]
    return " & ".join(escaped) + r" \\"
