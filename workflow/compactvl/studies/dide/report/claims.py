"""DiDE's claims, each as a test on the variants of this benchmark."""

from functools import partial

from compactvl.reporting.answers import LATENCY
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Claim, Outcome
from compactvl.reporting.paired import Measure, about, above_chance, better, versus
from compactvl.studies.dide.report.published import LOSS, SPEED
from compactvl.studies.dide.report.results import ENTAIL, QA, SCENES, DideResults

BOTH = ("t2i_r1", "i2t_r1")
OFTEN = 16
"""Questions an image by which the two encoders' speed is compared."""


def dide_claims(*, teacher: str, dual: str, distilled: str, best: str) -> list[Claim]:
    """Return the paper's claims, then the questions it leaves open, then our controls.

    Args:
        teacher: the fusion encoder. dual: the student on hard labels alone. distilled: on soft labels and attention.
        best: the student that stands for the whole method: pre-trained with attention distillation, then distilled.
    """

    def wins(a: str, b: str, task: str = QA, metric: str = "macro") -> partial:
        return partial(better, pairs=versus(a, b, task, metric))

    # fmt: off
    return [
        Claim("gap", "A fusion encoder answers better than a dual encoder trained alike.", wins(teacher, dual)),
        Claim("distilled", "Soft labels and attention together improve the dual encoder.", wins(distilled, dual)),
        Claim("attention", "Adding attention distillation to soft labels improves the dual encoder.",
              wins(distilled, "dual_soft")),
        Claim("close", f"The distilled dual encoder loses about {100 * LOSS:g} point to its teacher.",
              partial(about, a=Measure(best, QA, "macro"), b=Measure(teacher, QA, "macro"), margin=LOSS)),
        Claim("entailment", "It improves the dual encoder on entailment.",
              wins("dual_distilled_entail", "dual_entail", ENTAIL, "accuracy")),
        Claim("retrieval", "It improves the dual encoder's retrieval, in both directions.",
              partial(better, pairs=versus("retrieval_attention", "retrieval", SCENES, *BOTH))),
        Claim("pretraining", "Pre-training the student by attention distillation improves it further.",
              wins(best, distilled)),
        Claim("speed", f"With features computed once for {OFTEN} questions, the dual encoder is at least {SPEED:g} times as fast.",
              partial(_faster, teacher=teacher, dual=dual)),
        Claim("hard_attention", "Attention distillation beside hard labels improves the dual encoder.",
              wins("dual_attention", dual), "question"),
        Claim("soft", "Soft labels are better than hard ones.", wins("dual_soft", dual), "question"),
        Claim("layers", "Averaging two layers is better than the last layer alone.",
              wins("dual_distilled_layers", distilled), "question"),
        Claim("hard_too", "Hard labels beside the distillation improve it.", wins("dual_distilled_hard", distilled), "question"),
        Claim("teacher_sees", "The teacher reads the image: it answers better than with images exchanged.",
              wins(teacher, "shuffled_images"), "control"),
        Claim("teacher_not_blind", "The teacher answers better than the same model that was trained without images.",
              wins(teacher, "blind"), "control"),
        Claim("dual_sees", "The dual encoder answers better than the fusion encoder without images.",
              wins(dual, "blind"), "control"),
        Claim("above_chance", "The dual encoder is above chance.",
              partial(above_chance, measure=Measure(dual, QA, "macro")), "control"),
    ]
    # fmt: on


def _faster(study: DideResults, *, teacher: str, dual: str) -> Outcome:
    """At the published size, with the largest batch that was timed."""
    names = study.metrics.loc[study.metrics["benchmark"] == LATENCY, "metric"]
    batches = [int(name.split("/")[2].removeprefix("batch")) for name in names if name.startswith("ms/published/")]
    if not batches:
        return Outcome(OPEN, "nothing was timed at the published size")
    name = f"ms/published/batch{max(batches)}"
    fusion, own = study.estimate(teacher, LATENCY, name), study.estimate(dual, LATENCY, f"{name}/questions{OFTEN}")
    if fusion is None or own is None:
        return Outcome(OPEN, f"one of the two was not timed for {OFTEN} questions an image")
    times = fusion.value / own.value
    evidence = f"{fusion.value:.1f} → {own.value:.1f} ms a question on {study.timed_on.get('device', 'this machine')}: {times:.1f}×"
    return Outcome(HOLDS if times >= SPEED else FAILS, evidence)
