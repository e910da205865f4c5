"""The parameters of every variant's parts: a table that needs no results."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pandas as pd


class CountsParameters(Protocol):
    """What the table needs of a study."""

    def parameters(self, settings: Any, peers: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
        """(part, number of parameters) of a variant."""


def parameter_table(study: CountsParameters, variants: Mapping[str, Any]) -> pd.DataFrame:
    """Return columns variant, part, parameters; no weights are loaded."""
    rows = [(name, part, int(n)) for name, own in variants.items() for part, n in study.parameters(own, variants)]
    return pd.DataFrame(rows, columns=["variant", "part", "parameters"])
