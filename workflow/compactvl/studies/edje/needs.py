"""What training and evaluating EDJE's variants reads: the DAG's edges."""

from collections.abc import Mapping
from typing import Any

from compactvl.config.benchmarks import EfficiencyBenchmark
from compactvl.studies.base import Needs
from compactvl.studies.edje.settings import Control, Embedding, JointEncoder, LateInteraction, Pretrained, ScoreFusion

NOT_VARIANTS = ("first_stage", "random", "self")


def training_needs(settings: Any, peers: Mapping[str, Any]) -> Needs:
    """What training a variant reads."""
    if isinstance(settings, Embedding):
        return Needs(
            datasets=frozenset({settings.dataset}),
            tokens=frozenset({(settings.encoder, settings.dataset)}),
            texts=frozenset({(settings.text_encoder, settings.dataset)}),
        )
    if isinstance(settings, LateInteraction):
        return Needs(
            datasets=frozenset({settings.dataset}),
            tokens=frozenset({(settings.encoder, settings.dataset)}),
            weights=frozenset({settings.joint.weights}),
        )
    if isinstance(settings, JointEncoder):
        named = {
            settings.first_stage,
            settings.negatives.miner,
            settings.start.adapter,
            settings.start.joint,
            settings.teacher,
        }
        needs = Needs(
            datasets=frozenset({settings.dataset}),
            tokens=frozenset({(settings.encoder, settings.dataset)}),
            weights=frozenset({settings.joint.weights}),
            variants=frozenset(named - {None, *NOT_VARIANTS}),
        )
        for name in (settings.first_stage, settings.negatives.miner):
            if name not in NOT_VARIANTS:
                needs |= similarity_needs(peers[name], settings.dataset)
        return needs
    if isinstance(settings, ScoreFusion):
        joint = peers[settings.of]
        return Needs(variants=frozenset({settings.of})) | _scoring_needs(joint, joint.dataset, peers)
    if isinstance(settings, Control):
        return Needs(variants=frozenset({settings.of}))
    return Needs()


def similarity_needs(settings: Any, dataset: str) -> Needs:
    """What binding an embedding variant to a data set reads."""
    needs = Needs(datasets=frozenset({dataset}), tokens=frozenset({(settings.encoder, dataset)}))
    if isinstance(settings, LateInteraction):
        return needs | Needs(weights=frozenset({settings.joint.weights}))
    return needs | Needs(texts=frozenset({(settings.text_encoder, dataset)}))


def evaluation_needs(settings: Any, benchmark: Any, peers: Mapping[str, Any]) -> Needs:
    """What evaluating a variant on a benchmark reads, besides its own run."""
    if isinstance(settings, Embedding | Pretrained | LateInteraction):
        return similarity_needs(settings, benchmark.dataset)
    if isinstance(benchmark, EfficiencyBenchmark):
        return Needs(
            datasets=frozenset({benchmark.dataset}),
            tokens=frozenset({(settings.encoder, benchmark.dataset)}),
            encoders=frozenset({settings.encoder} if settings.online else ()),
        )
    if isinstance(settings, JointEncoder):
        return _scoring_needs(settings, benchmark.dataset, peers)
    return Needs(variants=frozenset({settings.of})) | _scoring_needs(peers[settings.of], benchmark.dataset, peers)


def _scoring_needs(settings: JointEncoder, dataset: str, peers: Mapping[str, Any]) -> Needs:
    return Needs(
        tokens=frozenset({(settings.encoder, dataset)}),
        variants=frozenset({settings.first_stage}),
    ) | similarity_needs(peers[settings.first_stage], dataset)
