"""Verdicts of EDJE's claims over a tree whose models' skill is known."""

import pytest

from compactvl.reporting.claims import HOLDS, LEFT, OPEN, Outcome, claims_table, verdicts_table
from compactvl.studies.edje.report.claims import edje_claims

CLAIMS = {
    "main": "edje", "first_stage": "retriever", "tokens_main": "compressed_12", "recipe": "trunk",
    "undistilled": "compressed_12", "hard_negatives": "hard_negatives",
}  # fmt: skip


def outcomes(study, **others) -> dict[str, Outcome]:
    return {claim.id: claim.test(study) for claim in edje_claims(**CLAIMS | others)}


def test_claims_follow_the_data(study):
    found = outcomes(study)
    for name in ("reranking", "few_tokens", "learned_queries", "image_control", "random_control"):
        assert found[name].verdict == HOLDS, (name, found[name])
    assert found["gpu_speed"].verdict == OPEN
    assert not [name for name, outcome in found.items() if outcome.verdict == LEFT]
    before, after = (100 * study.estimate(v, "scenes", "t2i_r1").value for v in ("retriever", "edje"))
    assert f"Text → image R@1 {before:.1f} → {after:.1f}, {after - before:+.1f} points" in found["reranking"].evidence
    assert found["few_tokens"].evidence.startswith("4 → 12 tokens: mean R@1")


def test_twins_are_judged_by_items_of_the_group_score(study):
    found = outcomes(study)["twins"]
    assert found.verdict == HOLDS
    without, given = (100 * study.estimate(v, "swaps", "group").value for v in ("no_twins", "edje"))
    assert found.evidence.startswith(f"group score {without:.1f} → {given:.1f}, {given - without:+.1f} points")
    items = study.items("no_twins", "swaps", "group")
    assert 100 * items["value"].mean() == pytest.approx(without)
    assert (items["cluster"] == items.index).all()


def test_what_was_not_run_cannot_be_tested(study):
    judged = claims_table(study, edje_claims(**dict.fromkeys(CLAIMS, "nobody")))
    assert "not run: nobody (Text → image R@1)" in judged["evidence"][0]
    counts = verdicts_table(judged).set_index("of")
    assert counts.index.tolist() == ["paper", "question", "control"]
    assert counts.to_numpy().sum() == len(judged)
    assert counts.loc["control", LEFT] == 3


def test_distillation_needs_a_better_teacher(study):
    assert "of the teacher" in outcomes(study)["distillation"].evidence
    variants = study.measured("scenes", study.variants)
    means = {v: 100 * study.estimate(v, "scenes", "mean_r1").value for v in variants}
    best = max(means, key=means.get)
    assert best != "local"
    weak = outcomes(study, undistilled=best)["distillation"]
    assert weak.verdict == OPEN
    assert all(f"{means[variant]:.1f}" in weak.evidence for variant in ("local", best))


def test_the_recipe_says_how_many_pairs_were_seen(changed):
    study = changed(trunk={"manifest.json": {"seen": 38400}}, paper_recipe={"manifest.json": {"seen": 18000}})
    assert "`trunk` 38,400, `paper_recipe` 18,000" in outcomes(study)["recipe"].evidence


def test_online_compares_as_many_pairs(study):
    rows = study.timings.set_index(["variant", "source", "batch"])["pairs_per_s"]
    factor = rows["edje", "store", 64] / rows["edje", "online", 64]
    evidence = outcomes(study)["online"].evidence
    assert evidence.startswith("64 pairs")
    assert evidence.endswith(f"{factor:.1f}×")
    source, batch = study.timings["source"], study.timings["batch"]
    study.timings = study.timings[~(((source == "store") & (batch > 1)) | ((source == "online") & (batch == 1)))]
    assert outcomes(study)["online"].verdict == OPEN


def test_storage_is_told_with_what_it_costs(study):
    found = outcomes(study)["storage"].evidence
    assert found.startswith("49.2 → 9.2 kB an image, 5.3×")
    assert study.kilobytes("late_interaction") == pytest.approx(12 * 384 * 2 / 1000)
