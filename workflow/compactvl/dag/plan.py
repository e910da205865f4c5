"""The jobs of a configuration and what each reads: the DAG, before Snakemake draws it.

A :class:`Plan` resolves every variant, checks every reference and knows, for each job, its input files.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

from compactvl.config.base import did_you_mean, validate
from compactvl.config.references import Reference, named, reference_problems, references
from compactvl.dag.identity import records_of
from compactvl.dag.root import NOUNS, RootSettings, validate_root
from compactvl.errors import UserError
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST
from compactvl.studies.base import Needs, Variant
from compactvl.studies.study import Study, find_study, said_once


@dataclass(frozen=True)
class Training:
    """One training job."""

    study: str
    variant: str
    seed: int


@dataclass(frozen=True)
class Evaluation(Training):
    """The evaluation of what a training job makes."""

    benchmark: str


@dataclass(frozen=True)
class ResolvedStudy:
    """A study with its validated variants."""

    study: Study
    variants: Mapping[str, Variant]
    report: bool


class Plan:
    """Everything that is to be done for a configuration.

    Args:
        config: the merged configuration.
        layout: where everything is.

    Attributes:
        root: validated settings.
        studies: resolved studies by name.
        trainings: training jobs, in the config's order.
        evaluations: evaluation jobs.
        tokens: (encoder, data set) pairs to encode.

    Raises:
        UserError: every problem found, one a line, each with its place.
    """

    def __init__(self, config: Mapping[str, Any], layout: Layout | None = None) -> None:
        self.root: RootSettings = validate_root(config)
        self.layout = layout or Layout()
        self.studies = {name: self._resolve(name) for name in self.root.studies}
        self.trainings = [
            Training(study, variant, seed)
            for study, resolved in self.studies.items()
            for variant, settings in resolved.variants.items()
            for seed in self._seeds(settings)
        ]
        problems = self._variant_problems() or self._circles()
        if problems:
            raise UserError("\n".join(said_once(problems)))
        self.evaluations = [
            Evaluation(job.study, job.variant, job.seed, benchmark)
            for job in self.trainings
            for benchmark in self.variant(job.study, job.variant).benchmarks
        ]

    def _resolve(self, name: str) -> ResolvedStudy:
        place = f"studies.{name}"
        study = find_study(name, place)
        section = validate(study.section, self.root.studies[name], place)
        where = f"{place}.variants"
        return ResolvedStudy(study, study.revive(section.expand(where), where), section.report)

    def _seeds(self, settings: Variant) -> tuple[int, ...]:
        return self.root.seeds if settings.seeds is None else settings.seeds

    @cached_property
    def together(self) -> list[str]:
        """Studies of which one job trains all seeds of a variant."""
        return [name for name, resolved in self.studies.items() if resolved.study.together]

    @cached_property
    def seeds_together(self) -> tuple[int, ...]:
        """The seeds of all variants of these studies: the same for all."""
        found = (self._seeds(one) for name in self.together for one in self.studies[name].variants.values())
        return next(found, ())

    def variant(self, study: str, variant: str) -> Variant:
        """Return a variant's validated settings."""
        return self.studies[study].variants[variant]

    # What is wrong.

    def _variant_problems(self) -> list[str]:
        problems = []
        for name, resolved in self.studies.items():
            for variant, settings in resolved.variants.items():
                place = f"studies.{name}.variants.{variant}"
                for field, values in (("seeds", self._seeds(settings)), ("benchmarks", settings.benchmarks)):
                    twice = sorted({value for value in values if values.count(value) > 1})
                    problems += [f"{place}.{field}: {value} is given twice; delete one" for value in twice]
                problems += [
                    f"{place}.seeds: {seed}: a seed is 0 or more" for seed in self._seeds(settings) if seed < 0
                ]
                if name in self.together and self._seeds(settings) != self.seeds_together:
                    given = ", ".join(map(str, self.seeds_together))
                    problems.append(
                        f"{place}.seeds: all variants are trained together, with seeds {given}; give it these"
                    )
                wrong = reference_problems(references(settings, place), self.root.known, NOUNS)
                problems += wrong
                if wrong:
                    continue
                problems += self._need_problems(name, variant, self.needs(name, variant), place)
                for key in settings.benchmarks:
                    benchmark = self.root.benchmarks[key]
                    able, reason = settings.supports(benchmark, resolved.variants)
                    if not able:
                        problems.append(f"{place}.benchmarks: cannot be evaluated on {key}: {reason}")
                        continue
                    needs = self.needs(name, variant, key)
                    problems += self._need_problems(name, variant, needs, f"{place} (on {key})")
        return problems

    def _need_problems(self, study: str, variant: str, needs: Needs, place: str) -> list[str]:
        """What is wrong with what a job reads, where everything that settings name is there."""
        encoded = [Reference(place, "datasets", ("images",), dataset) for _, dataset in sorted(needs.tokens)]
        problems = reference_problems(encoded, self.root.known, NOUNS)
        for file in sorted(needs.files):
            if not os.path.isfile(file):
                problems.append(f"{place}: {file} is missing: put it there, or change the setting that names it")
        variants = self.studies[study].variants
        for peer in sorted(needs.variants):
            lacking = set(self._seeds(variants[variant])) - set(self._seeds(variants[peer]))
            if peer == variant:
                problems.append(f"{place}: builds on itself")
            elif lacking:
                seeds = ", ".join(map(str, sorted(lacking)))
                problems.append(f'{place}: builds on variant "{peer}", which is not trained with seed {seeds}')
        return problems

    def _circles(self) -> list[str]:
        """Variants whose training would have to wait for itself: a circle of each study."""
        problems = []
        for name, resolved in self.studies.items():
            known = resolved.variants.keys()
            try:
                TopologicalSorter(
                    {key: sorted(self.needs(name, key).variants & known - {key}) for key in known}
                ).prepare()
            except CycleError as error:
                chain = error.args[1][::-1]
                place = f"studies.{name}.variants.{chain[0]}"
                problems.append(f"{place}: variants build on each other: {' -> '.join(chain)}; begin one afresh")
        return problems

    # What each job reads; blobs are listed apart, for `ancient()`.

    def peers(self, study: str, variant: str, benchmark: str | None = None) -> list[str]:
        """Return the variants a job builds on, transitively: for training, or for evaluation on ``benchmark``."""
        first = self.needs(study, variant).variants
        if benchmark is not None:
            first = first | self.needs(study, variant, benchmark).variants
        found: dict[str, None] = {}
        waiting = sorted(first)
        while waiting:
            peer = waiting.pop(0)
            if peer not in found:
                found[peer] = None
                waiting += sorted(self.needs(study, peer).variants)
        found.pop(variant, None)
        return list(found)

    def needs(self, study: str, variant: str, benchmark: str | None = None) -> Needs:
        """Return what training a variant, or evaluating it on ``benchmark``, reads."""
        resolved, settings = self.studies[study], self.variant(study, variant)
        if benchmark is None:
            return resolved.study.training_needs(settings, resolved.variants)
        return resolved.study.evaluation_needs(settings, self.root.benchmarks[benchmark], resolved.variants)

    def edges(self, needs: Needs, study: str, seed: int) -> list[str]:
        """Return the small files that stand for what a job reads: manifests, records of weights, settings of encoders."""
        records = records_of(self._with_weights(needs), self.layout, study, seed)
        encoders = [self.layout.settings("encoders", name) for name in sorted(needs.encoders)]
        return [*map(str, (*records, *encoders)), *sorted(needs.files)]

    def blobs(self, needs: Needs, study: str, seed: int) -> list[str]:
        """Return the big declared files beside the manifests; their times mean nothing."""
        items = [self.layout.dataset(name) / "items.parquet" for name in sorted(needs.datasets)]
        weights = [self.layout.weights(name) for name in sorted(self._with_weights(needs).weights)]
        models = [self.layout.run(study, peer, seed) / "model.safetensors" for peer in sorted(needs.variants)]
        return [str(path) for path in (*items, *weights, *models)]

    def _with_weights(self, needs: Needs) -> Needs:
        """Return needs with the converted weights of the encoders among them."""
        return needs | Needs.of(
            weights=(one for name in needs.encoders for one in named(self.root.encoders[name], "weights"))
        )

    def archives(self, sources: Iterable[str]) -> list[str]:
        """Return the archives of sources."""
        return [str(self.layout.source(self.root.sources[name].file)) for name in sources]

    def pins(self, sources: Iterable[str]) -> list[str]:
        """Return the ``.dvc`` files of sources, where there are any: new data under DVC is a new input."""
        return [path for archive in self.archives(sources) if os.path.exists(path := f"{archive}.dvc")]

    def source_settings(self, file: str) -> str:
        """Return the settings file of the source whose archive is ``file``."""
        files = {source.file: name for name, source in self.root.sources.items()}
        if file not in files:
            raise UserError(f"data/sources/{file}: no source of the config has this file{did_you_mean(file, files)}")
        return str(self.layout.settings("sources", files[file]))

    def weights_sources(self, weights: str) -> list[str]:
        """Return the sources of converted weights: one, or none for those of the Hub or a folder."""
        return named(self.root.weights[weights], "sources")

    def dataset_sources(self, dataset: str) -> list[str]:
        """Return the sources of a data set."""
        settings = self.root.datasets[dataset]
        bases = settings.sets if settings.reads_archives_of_sets else []
        return list(dict.fromkeys([*settings.sources, *(one for base in bases for one in self.dataset_sources(base))]))

    def external(self, dataset: str) -> list[str]:
        """Return the user's own files a data set is made from.

        Raises:
            UserError: some are missing; the message says where to get each and where to put it.
        """
        if problems := self.missing([dataset]):
            raise UserError("\n".join(problems))
        return [path for _, path in self.root.datasets[dataset].own_files()]

    def missing(self, datasets: Iterable[str]) -> list[str]:
        """Return one line for each of the user's own files that is not there, of data sets and those they are made from."""
        found: dict[str, list[str]] = {}
        waiting = list(datasets)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.root.datasets[name].missing(f"datasets.{name}")
                waiting += self.root.datasets[name].sets
        return [line for name in sorted(found) for line in found[name]]

    def datasets(self, study: str | None = None) -> list[str]:
        """Return the data sets that a study's jobs read, or all studies' and those whose tokens the config adds."""
        read = [needs for name, needs in self._all_needs() if study in (None, name)]
        found = set().union(*(needs.datasets | {one for _, one in needs.tokens | needs.texts} for needs in read))
        return sorted(found.union(*(() if study else self.root.tokens.values())))

    # What is to be made.

    @cached_property
    def tokens(self) -> list[tuple[str, str]]:
        """(encoder, data set) pairs to encode: what the studies need and what the config adds."""
        pairs = {(encoder, dataset) for encoder, datasets in self.root.tokens.items() for dataset in datasets}
        return sorted(pairs.union(*(needs.tokens for _, needs in self._all_needs())))

    @cached_property
    def texts(self) -> list[tuple[str, str]]:
        """(text encoder, data set) pairs to embed: what the studies need."""
        return sorted(set().union(*(needs.texts for _, needs in self._all_needs())))

    @cached_property
    def built_on(self) -> list[str]:
        """Names of the variants, of any study, whose run another one's training reads."""
        return sorted({name for job in self.trainings for name in self.needs(job.study, job.variant).variants})

    def _all_needs(self) -> list[tuple[str, Needs]]:
        """(study, what a job reads) of each training and evaluation."""
        jobs = dict.fromkeys((job.study, job.variant, None) for job in self.trainings)
        jobs |= dict.fromkeys((job.study, job.variant, job.benchmark) for job in self.evaluations)
        return [(job[0], self.needs(*job)) for job in jobs]

    def results(self, study: str | None = None) -> list[str]:
        """Return the results (JSON) of a study, or of all."""
        return [
            str(self.layout.result(job.study, job.variant, job.seed) / f"{job.benchmark}.json")
            for job in self.evaluations
            if study in (None, job.study)
        ]

    def runs(self, study: str) -> list[str]:
        """Return the manifests of a study's runs."""
        return [
            str(self.layout.run(job.study, job.variant, job.seed) / MANIFEST)
            for job in self.trainings
            if job.study == study
        ]

    def reports(self, study: str | None = None) -> list[str]:
        """Return the HTML reports of a study, or of all; a study in which nothing is evaluated has none."""
        names = [
            n for n, resolved in self.studies.items() if resolved.report and study in (None, n) and self.results(n)
        ]
        return [str(self.layout.results / "reports" / f"{name}.html") for name in names]

    def report_edges(self, study: str) -> list[str]:
        """Return the manifests of data sets and token stores a study's results come from: reports show samples."""
        needs = (self.needs(study, job.variant, job.benchmark) for job in self.evaluations if job.study == study)
        return sorted({str(path) for one in needs for path in records_of(Needs(one.datasets, one.tokens), self.layout)})

    def report_inputs(self, study: str) -> list[str]:
        """Return every file of the pipeline a study's report may read: tables, results, runs, data sets, token stores."""
        tables = [str(self.layout.results / study / name) for name in ("metrics.csv", "parameters.csv")]
        return [*tables, *self.results(study), *self.runs(study), *self.report_edges(study)]

    def study_targets(self, study: str | None = None) -> list[str]:
        """Return what the target of a study (or of all) makes: runs, results, tables and the report."""
        names = [name for name in self.studies if study in (None, name) and self.runs(name)]
        runs = [run for name in names for run in self.runs(name)]
        tables = [str(self.layout.results / name / "parameters.csv") for name in names]
        return [*runs, *self.results(study), *tables, *self.reports(study)]
