"""The study's section of the config: a pool of encoders becomes a variant for every subset of it."""

from itertools import combinations
from typing import Annotated, Any

from pydantic import Field, model_validator

from compactvl.config.overlay import expand_bases, in_order, merge
from compactvl.studies.study import StudySection
from compactvl.training.optim import Count

BLIND = "blind"
MOST = 8
FEW = 2
"""With fewer encoders there is nothing to tell apart."""


class Section(StudySection):
    """Encoders, what their subsets have in common, and further variants, which may be based on a subset."""

    pool: dict[str, Count | None] = Field(
        default={},
        description="Encoder → width of its tokens; null takes one out. Every subset becomes a variant, named by its "
        "encoders joined by `+`, in alphabetical order; and `blind`, which sees no image.",
    )
    subset: dict[str, Any] = Field(default={}, description="Settings of every subset (kind `subset`).")
    pool_benchmarks: Annotated[
        tuple[str, ...], Field(description="Benchmarks of the whole pool, besides the subsets'.")
    ] = ()

    @model_validator(mode="after")
    def _size(self) -> "Section":
        number = len(self.encoders)
        if number and not FEW <= number <= MOST:
            raise ValueError(f"pool: {number} encoders; give {FEW} to {MOST}")
        return self

    @property
    def encoders(self) -> dict[str, int]:
        """The pool by name, without what was taken out."""
        return in_order(self.pool)

    def expand(self, where: str) -> dict[str, dict[str, Any]]:
        """See :class:`StudySection`: every subset, and the further variants."""
        pool = self.encoders
        made: dict[str, dict[str, Any]] = {}
        if pool:
            subsets = [names for size in range(len(pool) + 1) for names in combinations(pool, size)]
            for names in subsets:
                body = {"kind": "subset", **self.subset, "encoders": {name: pool[name] for name in names}}
                if len(names) == len(pool):
                    body["benchmarks"] = [*body.get("benchmarks", ()), *self.pool_benchmarks]
                made["+".join(names) or BLIND] = body
        # A variant of the section that has a subset's name changes that one.
        bodies = {
            name: body if body is None or name not in made else merge(made[name], body)
            for name, body in {**made, **self.variants}.items()
        }
        return expand_bases(bodies, where)
