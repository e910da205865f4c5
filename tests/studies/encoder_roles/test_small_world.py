"""Every subset trained on the small world: what it can see it answers, and masks take away what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compactvl.dag.identity import identified
from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.masking import Settings as Masking
from compactvl.evaluation.benchmarks.suite import Settings as Suite
from compactvl.evaluation.results import read_predictions, read_result
from compactvl.records.intact import check_made
from compactvl.records.record import read_manifest
from compactvl.studies.jobs import evaluate, open_model, train
from compactvl.training.checkpoint import read_state
from compactvl.training.loop import SAVE_VARIABLE

TASKS = {
    "left": {"area": "one", "dataset": "asked", "type": "left"},
    "right": {"area": "other", "dataset": "asked", "type": "right"},
}
SUITE, MASKED = Suite(kind="suite", tasks=TASKS), Masking(kind="masking", tasks=TASKS)
EXPECTED = {"blind": (0, 0), "left": (1, 0), "right": (0, 1), "left+right": (1, 1)}
"""Which of the two tasks a subset can see the answers of."""


def scores(world, tmp_path, name: str, benchmark=SUITE, seed: int = 0) -> dict[str, float]:
    job = replace(world.trained(name, seed), output=tmp_path)
    evaluate(identified(job, "roles", benchmark), "roles", benchmark)
    return {metric["name"]: metric["value"] for metric in read_result(tmp_path / "roles.json")["metrics"]}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_subset_answers_what_its_encoders_show(world, tmp_path, name):
    found = scores(world, tmp_path, name)
    for task, sees in zip(TASKS, EXPECTED[name], strict=True):
        assert (found[f"task/{task}"] > 0.9) == bool(sees), found
    assert found["overall"] == pytest.approx((found["area/one"] + found["area/other"]) / 2)
    table = read_predictions(tmp_path, "roles")
    assert len(table) == 48
    assert found["task/left"] == pytest.approx(table.loc[table["task"] == "left", "score"].mean())


def test_masking_takes_away_what_an_encoder_shows(world, tmp_path):
    scores(world, tmp_path, "left+right", MASKED)
    table = read_predictions(tmp_path, "roles")
    assert {c for c in table if ":" in c} == {f"{f}:{e}" for f in ("zero", "mean") for e in ("", "left", "right")}
    for fill in ("zero", "mean"):
        by_task = table.groupby("task")[[f"{fill}:left", f"{fill}:right"]].mean()
        assert by_task.loc["left", f"{fill}:left"] > 0.9
        assert by_task.loc["right", f"{fill}:left"] < 0.7
        assert by_task.loc["right", f"{fill}:right"] > 0.9


def test_a_run_is_whole_and_says_what_it_was_trained_on(world):
    job = world.trained("left+right")
    check_made(job.output / "manifest.json")
    manifest = read_manifest(job.output, "train")
    assert manifest["answers"] == {"asked": ["red", "green", "blue", "white"]}
    assert manifest["encoders"].keys() == {"left", "right"}
    for when in ("input", "before", "after"):
        assert all(1 <= manifest["ranks"][when][one]["image"] <= 4 for one in ("left", "right"))


def test_features_mean_is_that_of_the_training_images(world):
    from compactvl.studies.encoder_roles.data import open_asked, open_stores, read_tokens
    from compactvl.studies.encoder_roles.open import open_run

    job = world.trained("left+right")
    model, images = open_run(job.output), open_asked(job, "asked", "train")[0].images
    stores = open_stores(job, "asked")
    given = {one: model.whiteners[one](read_tokens(stores[one], model.settings, one, images)) for one in stores}
    torch.testing.assert_close(model.mean_features, model.features(given).mean(0), atol=1e-5, rtol=1e-5)


def test_seeds_differ_and_repeat_themselves(world, tmp_path):
    first, other = (read_state(world.trained("left", seed).output) for seed in (0, 1))
    job = replace(world.job("left"), output=tmp_path / "run", scratch=tmp_path / "scratch")
    train(identified(job))
    again = read_state(tmp_path / "run")
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["projector.0.weight"], other["projector.0.weight"])
    assert torch.equal(first["whiteners.left.basis"], other["whiteners.left.basis"])


def test_an_interrupted_training_ends_as_an_undisturbed_one(world, tmp_path, monkeypatch):
    monkeypatch.setenv(SAVE_VARIABLE, "0")
    wanted = read_state(world.trained("left+right").output)
    job = replace(world.job("left+right"), output=tmp_path / "run", scratch=tmp_path / "scratch")
    step, count = torch.optim.AdamW.step, iter(range(99))

    def fails(self, *args, **options):
        if next(count) == 25:
            raise KeyboardInterrupt
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", fails)
    with pytest.raises(KeyboardInterrupt):
        train(identified(job))
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    train(identified(job))
    found = read_state(tmp_path / "run")
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"sets": {"asked": {"images": "drawn", "batch": 8, "answers": 9}}},
            "has 4 answers, the variant's `sets.asked.answers`",
        ),
        ({"encoders": {"left": 7}}, "tokens of width 6, the variant's `encoders.left` says 7"),
    ],
)
def test_what_is_not_as_the_settings_say_is_refused(world, small, tmp_path, changed, said):
    job = world.job("left", output=tmp_path / "run", scratch=tmp_path / "scratch")
    body = job.settings.model_dump(mode="json") | changed
    job = replace(job, settings=type(job.settings).model_validate(body))
    with pytest.raises(UserError, match=said):
        train(identified(job))


def test_a_suite_of_other_sets_and_masking_of_one_encoder_are_not_supported(world):
    other = Suite(kind="suite", tasks={"x": {"area": "a", "dataset": "elsewhere"}})
    assert world.known["left"].supports(other, world.known) == (False, "it was not trained on elsewhere")
    assert world.known["left"].supports(MASKED, world.known)[0] is False
    assert world.known["left+right"].supports(MASKED, world.known)[0] is True


def test_questions_are_answered_alike_in_any_batch(world):
    job = world.trained("left+right")
    items = job.dataset("asked").split("test")
    together = open_model(job, SUITE).logits("asked", items)
    alone = np.concatenate([open_model(job, SUITE).logits("asked", items.iloc[[row]]) for row in (0, 9, 47)])
    np.testing.assert_allclose(together[[0, 9, 47]], alone, atol=1e-5)
