"""What the arms of the comparison of token counts start from, and which arm that favours."""

from dataclasses import dataclass
from typing import Any

from compactvl.reporting.study import StudyResults


@dataclass(frozen=True)
class Start:
    """The joint encoder several variants go on from.

    Attributes:
        joint: the variant whose joint encoder it is. kind, tokens: the adapter it was trained with.
    """

    joint: str
    kind: str
    tokens: int | None

    @property
    def favours(self) -> str:
        """What the start favours, in words."""
        if self.tokens is None:
            return f"the {self.kind} adapter"
        return f"m = {self.tokens}" + (" learned queries" if self.kind == "compressed" else f" ({self.kind})")

    def is_of(self, settings: dict[str, Any]) -> bool:
        """Whether a variant's adapter is of the kind and size the joint encoder was trained with."""
        return (settings["adapter"]["kind"], settings["adapter"]["tokens"]) == (self.kind, self.tokens)


def common_start(study: StudyResults, *variants: str) -> Start | None:
    """Return what all of ``variants`` go on from; ``None`` where that differs, is nothing, or is not known."""
    found = [study.settings(variant) or {} for variant in variants]
    joints = {(settings.get("start") or {}).get("joint") for settings in found}
    joint = joints.pop() if len(joints) == 1 else None
    adapter = (study.settings(joint) or {}).get("adapter") if joint else None
    return Start(joint, adapter["kind"], adapter["tokens"]) if adapter else None


def start_caveat(study: StudyResults, *variants: str) -> str:
    """Return a sentence on what the variants' common start favours; empty where they have none."""
    start = common_start(study, *variants)
    if start is None:
        return ""
    return (
        f"All arms start from the joint encoder of `{start.joint}`, which was trained together with one adapter. **This "
        f"favours {start.favours}**: part of that arm's lead, or of the others' lag, may be the start's."
    )
