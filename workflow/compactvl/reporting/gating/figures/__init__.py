"""The gating report's figures, one a module: each returns a figure, or what keeps it from being drawn."""

from compactvl.reporting.gating.figures.benchmarks import choices
from compactvl.reporting.gating.figures.by_pos import gate_by_layer, gate_by_pos
from compactvl.reporting.gating.figures.captions import coloured_captions
from compactvl.reporting.gating.figures.probe import probe
from compactvl.reporting.gating.figures.scaling import scaling
from compactvl.reporting.gating.figures.scatter import gate_scatter
from compactvl.reporting.gating.figures.stability import stability

__all__ = [
    "choices",
    "coloured_captions",
    "gate_by_layer",
    "gate_by_pos",
    "gate_scatter",
    "probe",
    "scaling",
    "stability",
]
