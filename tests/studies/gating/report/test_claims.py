"""Verdicts of the gating claims over a study whose models' skill and gates are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compactvl.evaluation.gates import CONDITIONS
from compactvl.reporting.claims import FAILS, HOLDS, LEFT, OPEN, signed
from compactvl.reporting.paired import difference
from compactvl.reporting.study import NotRun
from compactvl.studies.gating.report import gate_claims, gate_tables
from compactvl.studies.gating.report.claims import gating_claims
from compactvl.studies.gating.report.figures.scatter import gate_scatter
from compactvl.studies.gating.report.results import language
from compactvl.studies.gating.report.words import gate_words

CLAIMS = {
    "main": "base", "no_gate": "no_gate", "hard": "hard_feature", "text_only": "no_images",
    "modulations": ["film_text", "dyintra_image"], "contrastive": ["clip", "lcg"],
    "alternating": ["curriculum_text_first"], "mixed": ["curriculum_mixed"],
    "captions_only": "curriculum_captions_only", "both_streams": "curriculum_text_first", "patches": "patches",
    "ngrams": ["unigram", "bigram"], "shares": {1 / 8: "scale_8", 1 / 2: "scale_2", 1: "scale_1"},
}  # fmt: skip


def outcomes(study, **others):
    return {claim.id: claim.test(study) for claim in gating_claims(**CLAIMS | others)}


def test_claims_follow_the_data(study):
    found = outcomes(study)
    for name in ("pos", "content", "contrastive", "oscillation", "probe", "scale", "own_image", "image_helps", "unigram",
                 "bigram", "pairs_bigram", "chance", "collapse"):  # fmt: skip
        assert found[name].verdict == HOLDS, (name, found[name])
    for name in ("concreteness", "regression"):
        assert found[name].verdict == OPEN
        assert "no concreteness norms are configured" in found[name].evidence
    words = gate_words(study, "base")
    h = stats.kruskal(*(part["gate"] for _, part in words.groupby("pos"))).statistic
    assert f"H = {h:,.1f}" in found["pos"].evidence
    means = words.groupby("word_class")["gate"].mean()
    said = f"content words {means['content']:.3f}, of function words {means['function']:.3f}"
    assert said in found["content"].evidence
    assert "(1/8 of the pool) → " in found["scale"].evidence
    assert outcomes(study, main="hard_token")["collapse"].verdict == FAILS
    assert outcomes(study, main="hard_token")["pos"].verdict == FAILS
    assert found["captions_only"].verdict == OPEN
    assert outcomes(study, main="lcg", contrastive=["base"])["contrastive"].verdict == FAILS


def test_what_was_not_run_cannot_be_tested(study):
    nobody = {name: "nobody" if isinstance(value, str) else ["nobody"] for name, value in CLAIMS.items()}
    found = outcomes(study, **nobody | {"shares": {1: "nobody"}})
    assert {outcome.verdict for outcome in found.values()} == {LEFT}
    assert all("not run: " in outcome.evidence for outcome in found.values())


@pytest.mark.parametrize(
    ("before", "after", "noise", "verdict", "said"),
    [
        (0.010, -0.030, 0.0, OPEN, "different signs"),
        (-0.010, -0.001, 0.05, OPEN, "may be none at all"),
        (-0.010, -0.040, 0.0, HOLDS, ""),
        (0.010, 0.040, 0.0, HOLDS, ""),
        (-0.040, -0.010, 0.0, FAILS, ""),
        (0.040, 0.010, 0.0, FAILS, ""),
        (-0.0100, -0.0102, 0.0, FAILS, "surely smaller"),
    ],
)
def test_gates_move_apart_only_with_the_same_sign(before, after, noise, verdict, said, gate_study, made):
    study = gate_study(less=made.caption_words(before), more=made.caption_words(after, noise=noise))
    found = gate_claims.scale(study, shares={0.5: "less", 1: "more"})
    assert found.verdict == verdict, found
    assert said in found.evidence


def test_a_difference_without_size_does_not_hold(gate_study, made):
    study = gate_study(tiny=made.caption_words(-0.0002), clear=made.caption_words(-0.03), up=made.caption_words(0.03))
    tiny, clear, up = (gate_claims.content(study, variant=variant) for variant in ("tiny", "clear", "up"))
    assert study.estimate("tiny", "gates", "content_minus_function").high < 0, "significant all the same"
    assert (tiny.verdict, clear.verdict, up.verdict) == (FAILS, HOLDS, FAILS)
    assert "surely smaller" in tiny.evidence
    low, high = gate_words(study, "clear")["gate"].quantile([0.05, 0.95])
    assert f"5% to 95% of the words' gates: {low:.3f} to {high:.3f}" in clear.evidence


def test_collapsed_gates_decide_nothing(gate_study, made):
    flat = made.caption_words(-0.008, spread=0.002).assign(concreteness=lambda t: 5.0 - (t["pos"] == "DET"))
    probe = pd.DataFrame(
        [made.row("probe", f"p{i}{c}", f"i{i}", 3, "x", "NOUN", [0.5, 0.5 - 0.008 * (c == "necessary")])
         | {"condition": c, "correct": 1.0, "correct_no_image": 0.0} for i in range(30) for c in CONDITIONS]
    )  # fmt: skip
    study = gate_study(flat=pd.concat([flat, probe], ignore_index=True), wide=made.caption_words(-0.03))
    assert study.estimate("flat", "gates", "spearman_concreteness").high < 0
    for test in (gate_claims.pos, gate_claims.content, gate_claims.concreteness, gate_claims.explained,
                 gate_claims.probe):  # fmt: skip
        found = test(study, variant="flat")
        assert found.verdict == FAILS, test
        assert found.evidence.startswith("the gates have collapsed"), test
        assert "5% to 95%" in found.evidence or test is gate_claims.explained
    assert gate_claims.scale(study, shares={0.5: "wide", 1: "flat"}).verdict == FAILS
    assert gate_claims.scale(study, shares={0.5: "flat", 1: "wide"}).verdict == OPEN


def test_every_layer_is_judged(gate_study, made):
    study = gate_study(part=made.caption_words(-0.03).assign(gate_0=np.float32(0.4)))
    found = gate_claims.not_collapsed(study, variant="part")
    assert found.verdict == FAILS
    assert "by layer: 1 0.0000 (constant), 2 0.0" in found.evidence
    assert gate_claims.content(study, variant="part").verdict == HOLDS, "the last layer's gate is the one analysed"
    shown = gate_tables.gates_table(study, ["part"])["sd over words by layer"].item()
    assert shown.startswith("0.0000*, 0.0")
    assert "collapsed" not in shown


def test_numbers_about_words_are_of_one_seed(gate_study, made):
    study = gate_study(base=[made.caption_words(-0.03), made.caption_words(-0.06)])
    first = {name: study.metrics.query("metric == @name and seed == 0")["value"].item() for name in
             ("kruskal_h", "epsilon_squared", "content_minus_function")}  # fmt: skip
    assert study.estimate("base", "gates", "kruskal_h").value > first["kruskal_h"]
    found = gate_claims.pos(study, variant="base").evidence
    assert f"H = {first['kruskal_h']:,.1f}" in found
    assert f"ε² = {first['epsilon_squared']:.3f}" in found
    assert "first of 2 seeds" in found
    found = gate_claims.content(study, variant="base").evidence
    assert f"difference {signed(first['content_minus_function'])}" in found
    assert "first of 2 seeds" in found
    assert gate_tables.gates_table(study, ["base"])["content − function"].iloc[0].startswith("−0.030")
    rho = study.metrics.query("metric == 'spearman_frequency' and seed == 0")["value"].item()
    (axes,) = gate_scatter(study, variant="base", column="frequency").axes
    assert signed(rho) in axes.get_title()


def test_an_effect_needs_size_and_certainty():
    judge = gate_claims._sized
    assert judge((0.3, 0.1, 0.5), 0.2, "").verdict == HOLDS
    assert judge((0.3, -0.1, 0.7), 0.2, "").verdict == OPEN
    assert judge((0.1, 0.05, 0.15), 0.2, "").verdict == FAILS
    assert judge((0.1, 0.05, 0.3), 0.2, "").verdict == OPEN
    assert judge((-0.3, -0.5, -0.1), 0.2, "").verdict == FAILS


def test_captions_only_is_not_judged_in_a_mode_it_never_ran_in(study):
    found = outcomes(study, captions_only="lcg", both_streams="base")["captions_only"]
    assert found.verdict == OPEN
    assert "never trained without an image" in found.evidence
    assert (
        signed(100 * difference(study, (language("lcg", "pairs"), language("base", "pairs")))[0], 1) in found.evidence
    )


def test_the_image_helps_against_the_control_without(study):
    found = outcomes(study)["image_helps"]
    for task in ("vqa", "winoground"):
        gain = difference(study, (language("base", task), language("no_images", task)))[0]
        assert f"{100 * gain:+.1f} points" in found.evidence
    assert outcomes(study, main="no_images", text_only="base")["image_helps"].verdict == FAILS


def test_captions_need_their_images(study):
    def perplexity(variant, metric):
        return study.estimate(variant, "language", metric).value

    found = outcomes(study)["captions_need_images"]
    own = perplexity("base", "caption_perplexity")
    others = perplexity("base", "caption_perplexity_other_image"), perplexity("no_images", "caption_perplexity")
    for other in others:
        assert signed(np.log(other / own), 2) in found.evidence
    same = outcomes(study, text_only="base")["captions_need_images"]
    assert same.verdict == OPEN
    assert "the control, +0.00 [+0.00, +0.00]" in same.evidence


def test_all_benchmarks_are_needed_to_improve_all(tmp_path, made, write_variant, collected):
    for variant, skill in (("base", 0.5), ("film_text", 3.0)):
        write_variant(tmp_path, variant, skill, tasks={"pairs": made.tasks["pairs"]})
    found = outcomes(collected(tmp_path), modulations=["film_text"])["modulation"]
    assert found.verdict == LEFT
    assert "it takes all 4" in found.evidence


def test_norms_are_used_where_there_are_some(tmp_path, write_variant, collected):
    write_variant(tmp_path, "base", 1.6, norms=True)
    study = collected(tmp_path)
    found = outcomes(study)
    words = gate_words(study, "base")
    rho = stats.spearmanr(words["gate"], words["concreteness"]).statistic
    assert f"ρ = {signed(rho)}" in found["concreteness"].evidence
    assert "concreteness" in found["regression"].evidence
    assert not isinstance(gate_scatter(study, variant="base", column="concreteness"), NotRun)
