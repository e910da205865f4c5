"""A suite's numbers: means of tasks, of areas, and of the areas; asked once a data set; masked."""

import numpy as np
import pandas as pd
import pytest

from compactvl.config.base import validate
from compactvl.config.kinds import BENCHMARK_KINDS, find_kind
from compactvl.data.canonical import ImageRow, write_set
from compactvl.errors import UserError
from compactvl.records.layout import Layout
from compactvl.records.record import Made

TASKS = {
    "shape": {"area": "general", "dataset": "easy", "type": "shape"},
    "colour": {"area": "general", "dataset": "easy", "type": "colour"},
    "word": {"area": "reading", "dataset": "words"},
}
ANSWERS = {"easy": ["square", "circle", "red", "blue"], "words": ["cat", "dog"]}


@pytest.fixture
def layout(tmp_path):
    layout, rng = Layout(tmp_path), np.random.default_rng(0)
    for name, types in (("easy", ("shape", "colour")), ("words", ("word",))):
        images = [f"{split}-{i}" for split in ("train", "test") for i in range(10)]
        items = pd.DataFrame(
            [
                {"item_id": f"{image}-{kind}", "image_id": image, "split": image.split("-")[0], "question": "?",
                 "type": kind, "answer": str(rng.choice(ANSWERS[name][2 * k : 2 * k + 2]))}
                for image in images for k, kind in enumerate(types)
            ]
        )  # fmt: skip
        rows = [ImageRow(image, image.encode(), image.split("-")[0]) for image in images]
        write_set(layout.dataset(name), name, rows, items, Made("curate", ""), settings={}, answers=ANSWERS[name])
    return layout


class Model:
    """Always gives an answer; without its encoder another one."""

    encoders = ("eye", "ear")

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers, self.asked = answers, []

    def logits(self, dataset: str, items: pd.DataFrame) -> np.ndarray:
        self.asked.append(dataset)
        found = np.zeros((len(items), len(ANSWERS[dataset])), np.float32)
        found[:, ANSWERS[dataset].index(self.answers[dataset])] = 1
        return found

    def masked(self, kept, fill):
        return Model(self.answers if "eye" in kept else {"easy": "circle", "words": "dog"})


def suite(kind: str = "suite", tasks=TASKS):
    return validate(find_kind(BENCHMARK_KINDS, kind), {"kind": kind, "tasks": tasks}, "benchmarks.suite")


def test_areas_weigh_the_same_and_within_one_its_tasks(layout):
    model = Model({"easy": "red", "words": "cat"})
    measured = suite().measure(model, layout)
    assert model.asked == ["easy", "words"], "a data set is asked once, whatever tasks are made of it"
    table, values = measured.predictions, {metric.name: metric.value for metric in measured.metrics}
    right = {task: float((rows["target"] == rows["prediction"]).mean()) for task, rows in table.groupby("task")}
    assert right["shape"] == 0
    assert values == pytest.approx(
        {f"task/{task}": share for task, share in right.items()}
        | {"area/general": right["colour"] / 2, "area/reading": right["word"]}
        | {"overall": (right["colour"] / 2 + right["word"]) / 2}
    )
    for metric in measured.metrics:
        assert metric.low <= metric.value <= metric.high
        assert 0 < metric.chance < 1
    overall = next(metric for metric in measured.metrics if metric.name == "overall")
    assert overall.n == 30
    assert overall.chance == pytest.approx((1 / 4 + 1 / 2) / 2)


def test_the_interval_is_that_of_images_drawn_together(layout):
    """Two tasks about the same images: against a bootstrap written as a loop."""
    measured = suite(tasks={name: TASKS[name] for name in ("shape", "colour")}).measure(Model({"easy": "red"}), layout)
    table, rng = measured.predictions, np.random.default_rng(1)
    by_image = table.pivot_table(index="cluster", columns="task", values="score")
    draws = [by_image.iloc[rng.integers(len(by_image), size=len(by_image))].mean().mean() for _ in range(4000)]
    found = next(metric for metric in measured.metrics if metric.name == "overall")
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.03)


def test_masking_is_the_suite_for_every_set_of_encoders_that_are_left(layout):
    whole, blind = Model({"easy": "red", "words": "cat"}), Model({"easy": "circle", "words": "dog"})
    measured = suite("masking").measure(whole, layout)
    values = {metric.name: metric.value for metric in measured.metrics}
    assert set(values) == {f"{fill}:{kept}/overall" for fill in ("zero", "mean") for kept in ("", "eye", "ear")}
    wanted = {
        name: next(m.value for m in suite().measure(model, layout).metrics if m.name == "overall")
        for name, model in (("eye", whole), ("ear", blind), ("", blind))
    }
    assert values == pytest.approx(
        {f"{fill}:{kept}/overall": wanted[kept] for fill in ("zero", "mean") for kept in wanted}
    )
    assert len(measured.predictions) == 30
    assert measured.predictions["zero:eye"].mean() != measured.predictions["zero:ear"].mean()


def test_null_takes_a_task_out_and_a_task_without_items_is_refused(layout):
    assert set(suite(tasks=TASKS | {"word": None}).tasks) == {"shape", "colour"}
    with pytest.raises(UserError, match=r"tasks"):
        suite(tasks={"word": None})
    with pytest.raises(UserError, match="task size: data set 'easy' has no test items of type size"):
        suite(tasks={"size": TASKS["shape"] | {"type": "size"}}).measure(Model({"easy": "red"}), layout)
