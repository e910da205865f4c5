"""From results, or from a table made elsewhere, to what each encoder is worth; claims judged on made-up scores."""

from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from compactvl.dag.identity import identified
from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.masking import Settings as Masking
from compactvl.evaluation.benchmarks.suite import Settings as Suite
from compactvl.files import write_json
from compactvl.records.record import Made
from compactvl.records.record import write as write_record
from compactvl.reporting.claims import FAILS, HOLDS, LEFT, OPEN, claims_table
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import use_style
from compactvl.studies.encoder_roles import game
from compactvl.studies.encoder_roles.report import figures, tables
from compactvl.studies.encoder_roles.report.claims import roles_claims
from compactvl.studies.encoder_roles.report.results import RolesResults, ScoresElsewhere
from compactvl.studies.encoder_roles.report.scores import Scores, read_csv, score_tables
from compactvl.studies.jobs import evaluate, parameter_table

TASKS = {side: {"area": area, "dataset": "asked", "type": side} for side, area in (("left", "one"), ("right", "other"))}
BENCHMARKS = {"roles": Suite(kind="suite", tasks=TASKS), "masking": Masking(kind="masking", tasks=TASKS)}
FIGURES = ("capacity_necessity", "bump", "subsets", "synergy_map", "rank_figure", "cost")
TABLES = ("roles_table", "agreement_table", "subsets_table", "best_table", "recommendation_table", "ranks_table")


@pytest.fixture(autouse=True)
def closed_figures(style):
    with matplotlib.rc_context():
        use_style(style)
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def measured(world, tmp_path_factory, collect_all) -> RolesResults:
    """Results of all subsets of the small world, two seeds each."""
    root = tmp_path_factory.mktemp("results")
    for name, own in world.known.items():
        for seed in (0, 1):
            job = world.trained(name, seed)
            for key, benchmark in BENCHMARKS.items():
                if benchmark.ability == "suite" or len(own.encoders) > 1:
                    output = root / "results" / "encoder_roles" / name / f"seed{seed}"
                    evaluate(identified(replace(job, output=output), key, benchmark), key, benchmark)
    collect_all(root / "results", "encoder_roles")
    path = root / "results" / "encoder_roles" / "parameters.csv"
    parameter_table(world.known).to_csv(path, index=False)
    write_record(path.with_suffix(".json"), Made("parameters", ""), [path])
    return RolesResults("encoder_roles", root / "results", world.layout.root / "runs", world.layout.root / "cache")


def test_scores_are_the_means_of_the_metrics(measured):
    assert measured.pool == ("left", "right")
    names = {0: "blind", 1: "left", 2: "right", 3: "left+right"}
    for metric in ("overall", "area/one", "task/right"):
        scores = measured.scores[metric]
        for mask, name in names.items():
            assert scores.value[mask] == pytest.approx(measured.estimate(name, "roles", metric).value, abs=1e-5)
            low, high = np.quantile(scores.draws[:, mask], [0.025, 0.975])
            assert low <= scores.value[mask] <= high
        assert scores.name(3) == "left+right"


def test_masked_scores_are_those_of_the_whole_pools_run(measured):
    masked = measured.scores["zero:overall"]
    assert masked.value[3] == pytest.approx(measured.scores["overall"].value[3])
    for mask, kept in ((0, ""), (1, "left"), (2, "right")):
        assert masked.value[mask] == pytest.approx(
            measured.estimate("left+right", "masking", f"zero:{kept}/overall").value
        )


def test_each_encoder_is_worth_what_it_shows(measured):
    one = measured.scores["area/one"]
    left, right = game.capacity(one.value)
    assert left > 0.9 > 0.7 > right
    assert game.necessity(one.value)[0] > 0.4
    assert abs(game.necessity(one.value)[1]) < 0.1


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_made(measured, name):
    table = getattr(tables, name)(measured)
    assert isinstance(table, pd.DataFrame)
    assert len(table)
    assert not table.map(lambda cell: "nan" in str(cell)).any(axis=None)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_drawn(measured, name):
    assert isinstance(getattr(figures, name)(measured), Figure)


def test_every_claim_is_judged(measured):
    judged = claims_table(measured, roles_claims("random_vit"))
    assert judged["verdict"].isin([HOLDS, FAILS, OPEN, LEFT]).all()
    assert judged.loc[judged["claim"].str.contains("Every encoder alone"), "verdict"].item() == HOLDS


def made_up(values: dict[str, float], pool=("a", "b", "c"), spread: float = 0.002, masked=None) -> SimpleNamespace:
    """Scores of every subset with a little noise."""
    rng, known = np.random.default_rng(0), {}
    for key, own in (("overall", values), ("zero:overall", masked or values)):
        value = np.array([own["+".join(game.subset_of(mask, pool))] for mask in range(1 << len(pool))])
        known[key] = Scores(pool, value, value + spread * rng.normal(size=(400, len(value))))
    return SimpleNamespace(scores=known, pool=pool)


ANCHOR = {"": 0.2, "a": 0.7, "b": 0.6, "c": 0.3, "a+b": 0.71, "a+c": 0.8, "b+c": 0.65, "a+b+c": 0.8}
"""`a` is the anchor, `c` its complement though it is the weakest alone, `b` is replaceable."""


def verdicts(study, control: str = "c") -> dict[str, str]:
    claims = roles_claims(control)
    return dict(zip([claim.id for claim in claims], claims_table(study, claims)["verdict"], strict=True))


def test_claims_on_scores_of_known_roles():
    found = verdicts(made_up(ANCHOR))
    assert found["top_two"] == HOLDS
    assert found["pair"] == HOLDS
    assert found["complement"] == HOLDS
    assert found["interchangeable"] == HOLDS
    assert found["sighted"] == HOLDS
    assert found["control_last"] == HOLDS
    assert found["control_idle"] == FAILS, "c is needed"
    assert found["first"] == FAILS, "masked scores are the same"
    assert found["ranks"] == LEFT
    wide = claims_table(made_up(ANCHOR, spread=0.02), roles_claims("c")).set_index("claim")["would take"]
    assert wide["A pair matches the whole pool, to 1 point."].endswith("× the items"), (
        "equal is within 1 point, and known to 4"
    )
    table = tables.recommendation_table(SimpleNamespace(**vars(made_up(ANCHOR)), milliseconds=lambda name: 2.0))
    assert table["encoder"].tolist() == ["a", "c", "b", "a+c", "a+c"]
    assert table["why"].iloc[-1] == "2.0 of 6.0 ms an image"


def test_masking_that_says_otherwise_is_seen():
    masked = ANCHOR | {"a+b": 0.5, "a+c": 0.75, "b+c": 0.78}
    found = verdicts(made_up(ANCHOR, masked=masked))
    assert found["first"] == HOLDS
    assert found["order"] == HOLDS


def test_without_every_subset_nothing_is_claimed():
    study = made_up(ANCHOR)
    study.scores["overall"].value[3] = np.nan
    found = verdicts(study)
    assert set(found.values()) <= {OPEN, LEFT}


CSV = """subset,area,benchmark,score
blind,g,x,10
blind,k,y,20
blind,k,z,40
a,g,x,50
a,k,y,60
a,k,z,70
b,g,x,30
b,k,y,50
b,k,z,50
a+b,g,x,80
a+b,k,y,70
a+b,k,z,90
"""


def test_scores_made_elsewhere_give_the_same_analysis(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text(CSV)
    scores = read_csv(path)
    assert list(scores) == ["overall", "area/g", "area/k", "task/x", "task/y", "task/z"]
    assert scores["overall"].value.tolist() == [20, 57.5, 40, 80]
    study = ScoresElsewhere(path)
    for name in TABLES:
        made = getattr(tables, name)(study)
        assert isinstance(made, pd.DataFrame | NotRun)
    roles = tables.roles_table(study)
    assert roles["Capacity"].tolist() == ["57.5", "40.0"]
    assert roles["Necessity"].tolist() == ["+40.0", "+22.5"]
    assert roles["Shapley value"].tolist() == ["+38.8", "+21.2"]
    assert isinstance(figures.subsets(study), Figure)
    assert set(verdicts(study).values()) <= {OPEN, LEFT}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda text: text.replace("subset,", "subsets,"), 'lacks the column subset; did you mean "subsets"'),
        (lambda text: text.replace("b,g,x,30", "b,g,x,many"), "line 8: score 'many' is no number"),
        (lambda text: text + "b,g,x,31\n", "line 14: b on x is given twice; delete one"),
        (lambda text: text.replace("b,k,z,50\n", "", 1), "b has no score on z; add it, or take the subset out"),
        (lambda text: text.replace("a,g,x,50", "a,g,café,50").encode("latin-1"), "line 5 is not UTF-8; save"),
        (lambda text: "", "lacks the column subset"),
        (lambda text: text.replace("a,k,y,60", "a,k,y,60,1"), "line 6 has not as many fields as the header"),
        (lambda text: text.replace("a,k,y,60", "a,k,y"), "line 6 has not as many fields as the header"),
        (lambda text: text.replace("a,k,y,60", 'a,k,"y,60'), "line 13 is not CSV (unexpected end of data)"),
        (lambda text: text[: text.index("\n") + 1], "has no scores of retrained encoders"),
        (lambda text: "".join(text.splitlines(True)[:4]), "has no scores of retrained encoders"),
        (lambda text: text.replace("b,g,x,30", "b,g,x,inf"), "line 8: score 'inf' is no number"),
        (lambda text: text.replace("b,g,x,30", "b,g,x,3_0"), "line 8: score '3_0' is no number"),
        (lambda text: text.replace("\nb,g,x,30", "\n\n\nb,g,x,"), "line 10: score '' is no number"),
        (lambda text: text.replace("b,g,x,30", ",g,x,30"), "line 8: subset '' is neither encoders joined by +"),
        (lambda text: text.replace("a+b,g", "a+blind,g"), "line 11: subset 'a+blind' is neither"),
        (lambda text: text.replace("b,g,x,30", "b,k,x,30"), "line 8: x is in the areas g and k; give it one"),
        (lambda text: text.replace("b,g,x,30", "b,,x,30"), "line 8 names no area"),
        (lambda text: text.replace("score", "score,score").replace("0\n", "0,0\n"), "two columns are named score"),
        (
            lambda text: text.replace("score\n", "score,view\n").replace("0\n", "0,masked\n"),
            "line 2: unknown view 'masked'; known: mean, retrained, zero",
        ),
    ],
)
def test_a_table_with_a_mistake_is_refused(tmp_path, changed, said):
    path = tmp_path / "scores.csv"
    wrong = changed(CSV)
    path.write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
    with pytest.raises(UserError) as caught:
        read_csv(path)
    assert said in str(caught.value)
    with pytest.raises(UserError, match="is missing; give a CSV file"):
        read_csv(tmp_path / "no.csv")


def test_spaces_and_blank_lines_change_nothing(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("\ufeff" + CSV.replace("a+b,", " a + b , ").replace("subset", " subset").replace("\n", "\n\n"))
    scores = read_csv(path)["overall"]
    assert scores.pool == ("a", "b")
    assert scores.value.tolist() == [20, 57.5, 40, 80]


def test_encoding_times_are_those_of_the_stores(measured, tmp_path):
    for number, (seconds, images) in enumerate(((2.0, 100), (4.0, 200))):
        folder = tmp_path / "tokens" / "left" / f"d{number}"
        write_json(folder / "provenance.json", {"seconds": seconds})
        write_json(folder / "manifest.json", {"count": images})
    own = RolesResults("encoder_roles", measured.results, measured.runs, tmp_path)
    assert own.milliseconds("left") == pytest.approx(20.0)
    assert own.milliseconds("right") is None


def test_a_pool_of_two_has_no_best_pair():
    values = {"": 0.2, "a": 0.7, "b": 0.6, "a+b": 0.71}
    found = verdicts(made_up(values, ("a", "b")), "b")
    assert (found["pair"], found["top_two"]) == (LEFT, LEFT)
    assert found["complement"] == found["sighted"] == HOLDS


@pytest.mark.filterwarnings("error")
def test_resamples_without_an_item_of_a_task_are_left_out():
    """Half of the resamples of two images lack one of them; those with both have one score, whatever the order."""
    item = pd.DataFrame(
        {"item_id": ["i", "j"], "cluster": ["i", "j"], "area": ["one", "other"], "task": ["left", "right"]}
    )
    tables_of = {mask: [item.assign(score=[0.0, mask / 2])] for mask in range(3)}
    found = score_tables(("a",), {mask: tables_of[mask] for mask in (0, 1)})
    assert found["overall"].value.tolist() == [0, 0.25]
    assert 800 < len(found["overall"].draws) < 1200
    assert np.unique(found["overall"].draws[:, 1]).tolist() == [0.25]


@pytest.mark.filterwarnings("error")
def test_what_is_not_defined_is_a_dash():
    nothing = made_up({"": 0.0, "a": 0.0, "b": 0.0, "a+b": 0.0}, ("a", "b"), spread=0.0)
    study = SimpleNamespace(**vars(nothing), metric_label=str)
    row = tables.agreement_table(study).iloc[0]
    assert (row["Kendall's τ, retrained against masked"], row["information gap, masked"]) == ("–", "–")
