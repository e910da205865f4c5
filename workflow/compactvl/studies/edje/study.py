"""EDJE as the pipeline sees it."""

from collections.abc import Mapping, Sequence
from typing import Any

from compactvl.config.base import did_you_mean
from compactvl.config.benchmarks import EfficiencyBenchmark, RetrievalBenchmark, WinogroundBenchmark
from compactvl.studies.base import Job, Needs, VariantBase
from compactvl.studies.edje import needs
from compactvl.studies.edje.settings import (
    EMBEDDINGS,
    Control,
    Embedding,
    JointEncoder,
    LateInteraction,
    Pretrained,
    ScoreFusion,
)
from compactvl.studies.resolve import resolve_variants

KINDS = {
    "embedding": Embedding,
    "pretrained": Pretrained,
    "late_interaction": LateInteraction,
    "joint": JointEncoder,
    "score_fusion": ScoreFusion,
    "control": Control,
}


class EdjeStudy:
    """See :class:`compactvl.studies.base.Study`."""

    name = "edje"

    def resolve(self, variants: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, VariantBase]:
        """Validate variants and what they say of each other."""
        return resolve_variants(KINDS, variants, where, _reference_problems)

    def training_needs(self, settings: Any, peers: Mapping[str, Any]) -> Needs:
        """See :func:`compactvl.studies.edje.needs.training_needs`."""
        return needs.training_needs(settings, peers)

    def evaluation_needs(self, settings: Any, benchmark: Any, peers: Mapping[str, Any]) -> Needs:
        """See :func:`compactvl.studies.edje.needs.evaluation_needs`."""
        return needs.evaluation_needs(settings, benchmark, peers)

    def supports(self, settings: Any, benchmark: Any) -> tuple[bool, str]:
        """Everything does retrieval and Winoground's form; only rerankers have an online stage to time."""
        if isinstance(benchmark, RetrievalBenchmark | WinogroundBenchmark):
            return True, ""
        if isinstance(benchmark, EfficiencyBenchmark):
            return isinstance(settings, JointEncoder), "only kind `joint` has an online stage to time"
        return False, f"EDJE has no ability for benchmarks of kind {benchmark.kind}"

    def train(self, job: Job) -> None:
        """Train one variant and seed."""
        # Imported here so that planning the DAG does not load torch.
        from compactvl.studies.edje.train_controls import train_fusion, train_nothing
        from compactvl.studies.edje.train_embedding import train_embedding, train_late_interaction
        from compactvl.studies.edje.train_joint import train_joint

        procedures = {
            Embedding: train_embedding,
            LateInteraction: train_late_interaction,
            JointEncoder: train_joint,
            ScoreFusion: train_fusion,
            Control: train_nothing,
            Pretrained: train_nothing,
        }
        procedures[type(job.settings)](job)

    def evaluate(self, job: Job, name: str, benchmark: Any) -> None:
        """Evaluate one trained variant on one benchmark."""
        if isinstance(benchmark, EfficiencyBenchmark):
            from compactvl.studies.edje.efficiency import evaluate_efficiency

            evaluate_efficiency(job, name, benchmark)
        else:
            from compactvl.studies.edje.evaluate import evaluate

            evaluate(job, name, benchmark)

    def parameters(self, settings: Any, peers: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
        """(part, number of parameters) of a variant."""
        from compactvl.studies.edje.parameters import count_parameters

        return count_parameters(settings, peers)


def _reference_problems(name: str, variants: Mapping[str, Any], where: str) -> list[str]:
    """Check that the variants a variant names exist and are of the kind that is needed."""
    settings, place = variants[name], f"{where}.{name}"
    wanted: list[tuple[str, str | None, tuple[type, ...], str]] = []
    if isinstance(settings, JointEncoder):
        wanted = [
            ("first_stage", settings.first_stage, EMBEDDINGS, "an embedding variant"),
            (
                "start.adapter",
                settings.start.adapter,
                (LateInteraction, JointEncoder),
                "a late_interaction or joint variant",
            ),
            ("start.joint", settings.start.joint, (JointEncoder,), "a joint variant"),
            ("teacher", settings.teacher, (JointEncoder,), "a joint variant"),
        ]
        if settings.negatives.miner not in needs.NOT_VARIANTS:
            wanted.append(("negatives.miner", settings.negatives.miner, EMBEDDINGS, "an embedding variant"))
    elif isinstance(settings, ScoreFusion | Control):
        wanted = [("of", settings.of, (JointEncoder,), "a joint variant")]
    problems = []
    for key, value, kinds, wish in wanted:
        if value is None:
            continue
        if value not in variants:
            problems.append(f'{place}.{key}: unknown variant "{value}"{did_you_mean(value, variants)}')
        elif not isinstance(variants[value], kinds):
            problems.append(f'{place}.{key}: "{value}" is of kind {variants[value].kind}, expected {wish}')
    if isinstance(settings, JointEncoder) and not problems:
        asked = {
            "objectives.recovery": settings.objectives.recovery > 0,
            "negatives.group": settings.negatives.group > 1,
        }
        if isinstance(variants[settings.first_stage], LateInteraction):
            problems += [
                f"{place}.{key}: first stage {settings.first_stage} compares tokens and has no vectors for it"
                for key, value in asked.items()
                if value
            ]
    return problems


STUDY = EdjeStudy()
