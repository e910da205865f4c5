"""Which runs are the points of the data scaling."""

from compactvl.reporting.gating.items import LANGUAGE
from compactvl.reporting.study import StudyResults

SHARES = (8, 4, 2, 1)


def scale_arms(study: StudyResults, *, main: str, no_gate: str) -> dict[str, dict[float, str]]:
    """Return arm → {share of the pool: variant}.

    The whole pool is ``scale_1``; a size without it takes ``main`` (``no_gate``), if that begins from nothing too.
    """
    arms = {}
    for name, prefix, whole in (("Base", "", main), ("No gate", "no_gate_", no_gate)):
        arm = {1 / n: f"{prefix}scale_{n}" for n in SHARES}
        settings = study.settings(whole)
        if not study.has(arm[1], LANGUAGE) and study.has(whole, LANGUAGE) and settings and not settings.get("start"):
            arm[1] = whole
        arms[name] = arm
    return arms
