"""The gating study as the pipeline sees it."""

from collections.abc import Mapping, Sequence
from typing import Any

from compactvl.config.base import did_you_mean
from compactvl.config.language_benchmarks import GatesBenchmark, LanguageBenchmark
from compactvl.studies.base import Job, Needs, VariantBase
from compactvl.studies.gating import needs
from compactvl.studies.gating.settings import Decoder, NGram, Random, Tokenizer
from compactvl.studies.resolve import resolve_variants

KINDS = {"tokenizer": Tokenizer, "decoder": Decoder, "ngram": NGram, "random": Random}


class GatingStudy:
    """See :class:`compactvl.studies.base.Study`."""

    name = "gating"

    def resolve(self, variants: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, VariantBase]:
        """Validate variants and what they say of each other."""
        return resolve_variants(KINDS, variants, where, _reference_problems)

    def training_needs(self, settings: Any, peers: Mapping[str, Any]) -> Needs:
        """See :func:`compactvl.studies.gating.needs.training_needs`."""
        return needs.training_needs(settings, peers)

    def evaluation_needs(self, settings: Any, benchmark: Any, peers: Mapping[str, Any]) -> Needs:
        """See :func:`compactvl.studies.gating.needs.evaluation_needs`."""
        return needs.evaluation_needs(settings, benchmark, peers)

    def supports(self, settings: Any, benchmark: Any) -> tuple[bool, str]:
        """Everything but a tokenizer gives log-probabilities; only a decoder with gates and images has gates to show."""
        if isinstance(settings, Tokenizer):
            return False, "a tokenizer is not evaluated"
        if isinstance(benchmark, LanguageBenchmark):
            return True, ""
        if isinstance(benchmark, GatesBenchmark):
            able = isinstance(settings, Decoder) and settings.gate != "none" and settings.images
            return able, "only a decoder trained with images and with a gate has gate values"
        return False, f"the gating study has no ability for benchmarks of kind {benchmark.kind}"

    def train(self, job: Job) -> None:
        """Train one variant and seed."""
        # Imported here so that planning the DAG does not load torch.
        from compactvl.studies.gating.train import train_decoder
        from compactvl.studies.gating.train_others import train_ngram, train_random, train_tokenizer

        procedures = {Tokenizer: train_tokenizer, Decoder: train_decoder, NGram: train_ngram, Random: train_random}
        procedures[type(job.settings)](job)

    def evaluate(self, job: Job, name: str, benchmark: Any) -> None:
        """Evaluate one trained variant on one benchmark."""
        if isinstance(benchmark, GatesBenchmark):
            from compactvl.studies.gating.evaluate_gates import evaluate_gates

            evaluate_gates(job, name, benchmark)
        else:
            from compactvl.studies.gating.evaluate_language import evaluate_language

            evaluate_language(job, name, benchmark)

    def parameters(self, settings: Any, peers: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
        """(part, number of parameters) of a variant."""
        from compactvl.studies.gating.parameters import count_parameters

        return count_parameters(settings, peers)


def _reference_problems(name: str, variants: Mapping[str, Any], where: str) -> list[str]:
    """Check that the variants a variant names exist and are of the kind that is needed."""
    settings, place = variants[name], f"{where}.{name}"
    wanted = [("tokenizer", getattr(settings, "tokenizer", None), Tokenizer, "a tokenizer")]
    wanted.append(("start", getattr(settings, "start", None), Decoder, "a decoder"))
    problems = []
    for key, value, kind, wish in wanted:
        if value is None:
            continue
        if value not in variants:
            problems.append(f'{place}.{key}: unknown variant "{value}"{did_you_mean(value, variants)}')
        elif not isinstance(variants[value], kind):
            problems.append(f'{place}.{key}: "{value}" is of kind {variants[value].kind}, expected {wish}')
        elif key == "start" and variants[value].tokenizer != settings.tokenizer:
            problems.append(f'{place}.start: "{value}" reads another tokenizer; its words are not this variant\'s')
    return problems


STUDY = GatingStudy()
