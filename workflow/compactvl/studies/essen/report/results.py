"""ESsEN's results: what answers scored, parameters, speed and share of the data, and what variants are called."""

from typing import ClassVar

from compactvl.reporting.answers import AnswersResults
from compactvl.reporting.overview import Model

EASY, QA, ENTAIL, PAIRS, REFER = "easy_open", "scene_qa", "scene_entail", "scene_pairs", "scene_refer"
TASKS = (EASY, QA, ENTAIL, PAIRS, REFER)
SHARES = {"half": "half", "quarter": "a quarter", "eighth": "an eighth"}
"""Ending of a variant's name → its share of the training images, in words."""


class EssenResults(AnswersResults):
    """Metrics, predictions, sizes and speeds of ESsEN's variants."""

    SCORES: ClassVar = {EASY: "macro", QA: "macro", REFER: "macro"}
    LABELS: ClassVar = {
        "one_tower": "One tower",
        "two_tower_vit": "Two towers, ViT",
        "two_tower_cnn": "Two towers, CNN",
        **{f"one_tower_{part}": f"One tower, {of}" for part, of in SHARES.items()},
        **{f"two_tower_cnn_{part}": f"Two towers, CNN, {of}" for part, of in SHARES.items()},
        "blind": "Two towers, CNN, grey images (control)",
        "shuffled_images": "Two towers, CNN, images exchanged (control)",
        "random": "Random answers (control)",
        "start_random": "Both towers random",
        "start_pretrained": "Both towers pretrained",
        "start_text": "Only text pretrained",
        "start_vision": "Only vision pretrained",
        "start_frozen": "Both pretrained, vision frozen",
        "start_one_random": "One tower, random",
        "start_one_pretrained": "One tower, text pretrained",
        "cnn_64x2": "64 wide × 2",
        "cnn_128x1": "128 wide × 1",
        "cnn_192x2": "192 wide × 2",
        "refer_towers": "Pretrained towers",
        "refer": "Pretrained towers, then captions",
        "refer_random": "Random boxes (control)",
    }
    METRICS: ClassVar = {
        EASY: "easy-VQA, open questions",
        QA: "scene QA",
        ENTAIL: "entailment",
        PAIRS: "two scenes",
        REFER: "referring",
        "macro": "score, mean over types",
        "accuracy": "accuracy",
    }

    def size(self, variant: str, part: str | None = None) -> int | None:
        """Return a variant's number of parameters, of one part or of all; ``None`` where they were not counted."""
        own = self.parameters[self.parameters["variant"] == variant]
        own = own if part is None else own[own["part"] == part]
        return int(own["parameters"].sum()) if len(own) else None

    def speed(self, variant: str) -> float | None:
        """Return items a second of training, validations included, mean over seeds; ``None`` without a log."""
        lines = [log.iloc[-1] for log in self.log(variant).values() if len(log)]
        rates = [line["seen"] / line["seconds"] for line in lines if line["seconds"]]
        return sum(rates) / len(rates) if rates else None

    def share(self, variant: str) -> float:
        """Return the share of the training images that a variant was trained on."""
        return (self.settings(variant) or {}).get("share", 1.0)

    def shares(self, variant: str) -> list[str]:
        """Return a variant and those that differ from it in the share of the data alone, the smallest share first."""
        return sorted(self.arms(variant, "share", "seeds", "benchmarks"), key=self.share)

    def rise(self, variant: str) -> tuple[float, float] | None:
        """Return the validation scores before the last and last, means over seeds; ``None`` without two of them."""
        logs = [log["val_score"].dropna().tolist() for log in self.log(variant).values() if "val_score" in log]
        scores = [scores[-2:] for scores in logs if len(scores) > 1]
        return tuple(sum(column) / len(scores) for column in zip(*scores, strict=True)) if scores else None

    def shapes(self, variant: str) -> list[str]:
        """Return a variant and those that differ from it in the shape of its cross-modal layers alone, the smallest first."""
        free = [f"model.fusion.{name}" for name in ("layers", "width", "heads", "hidden")]
        return sorted(
            self.arms(variant, *free, "seeds", "benchmarks"), key=lambda one: self.size(one, "cross-modal layers") or 0
        )

    def models(self, *, one: str, vit: str, cnn: str) -> list[Model]:
        """Return the study's main models; see :func:`essen_claims` for the arguments. A smaller share's run was timed."""
        apart = {"offline": ("vision tower",)}
        return [
            Model("One tower", one, timed=f"{one}_eighth"),
            Model("Two towers, ViT", vit, **apart),
            Model("Two towers, CNN", cnn, timed=f"{cnn}_eighth", **apart),
            Model("Two towers, pretrained", "start_pretrained", **apart),
        ]
