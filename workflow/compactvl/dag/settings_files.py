"""Each thing's resolved settings in a small file of its own, so that a job depends on just the settings it uses.

A settings file is rewritten only when its content changes. Snakemake re-runs a job whose input is newer than its
output and has another content, so the file's time says when the setting last changed.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from compactvl.dag.plan import Plan
from compactvl.data.listing import listing_digest
from compactvl.errors import UserError
from compactvl.files import atomic_path, read_json
from compactvl.records.record import MANIFEST, read_record

RUN_FIELDS = frozenset({"benchmarks", "seeds"})
"""Fields of a variant that say which jobs there are; no job's outcome depends on them."""
LONG_AGO = 946684800
"""1 January 2000, the time of a settings file that did not exist before: being new is no reason to run anything."""
SECTIONS = ("sources", "weights", "datasets", "encoders", "text_encoders", "benchmarks")


def write_settings_files(plan: Plan, in_use_by: str | None = None) -> None:
    """Write every resolved setting of a plan, where its content is new.

    Args:
        plan: the plan.
        in_use_by: another process whose jobs read these files now: none of them may change.

    Raises:
        UserError: one would change under that process.
    """
    root, layout = plan.root, plan.layout
    for section in SECTIONS:
        for name, settings in getattr(root, section).items():
            body = settings.model_dump(mode="json")
            outputs = {
                "datasets": [layout.dataset(name) / MANIFEST],
                "benchmarks": layout.results.glob(f"*/*/seed*/{name}.json"),
            }
            changed = any(_differs(other, body) for other in _recorded(outputs.get(section, []), "settings"))
            if section == "datasets":
                sources = {key: root.sources[key].model_dump(mode="json") for key in plan.dataset_sources(name)}
                folder = settings.own_folder()
                images = None if folder is None else listing_digest(folder)
                body = {"settings": body, "sources": sources, "images": images}
            _write(layout.settings(section, name), body, changed, in_use_by)
    for study, resolved in plan.studies.items():
        for name, variant in resolved.variants.items():
            body = variant_body(variant)
            made_with = _recorded(layout.run(study, name, 0).parent.glob("seed*/settings.json"))
            changed = any({k: v for k, v in other.items() if k not in RUN_FIELDS} != body for other in made_with)
            _write(layout.settings(study, name), body, changed, in_use_by)
    lists = {"results.json": plan.results()}
    lists |= {f"results/{study}.json": plan.results(study) for study in plan.studies}
    lists |= {f"reports/{study}.json": plan.report_inputs(study) for study in plan.studies}
    for name, results in lists.items():
        _write(layout.root / "state" / "settings" / name, results, False, in_use_by)


def _differs(recorded: dict[str, Any] | None, body: dict[str, Any]) -> bool:
    """Whether a record's settings are others. It leaves out where the user's files are: that changes no result."""
    return recorded is None or any(body.get(key) != value for key, value in recorded.items())


def variant_body(variant: BaseModel) -> dict[str, Any]:
    """Return a variant's settings as its settings file holds them."""
    return variant.model_dump(mode="json", exclude=set(RUN_FIELDS))


def _recorded(paths: Iterable[Path], key: str | None = None) -> list[Any]:
    """Return the settings that outputs already on disk (e.g. pulled by DVC) say they were made with.

    With ``key`` they are in records; a damaged record tells of no settings (``None``), so what it vouches for is made again.
    """
    present = [path for path in paths if path.is_file()]
    if key is None:
        return [read_json(path) for path in present]
    return [_from_record(path, key) for path in present]


def _from_record(path: Path, key: str) -> Any:
    try:
        return read_record(path).get(key)
    except UserError:
        return None


def _write(path: Path, body: Any, changed: bool, in_use_by: str | None) -> None:
    """Write a settings file if its content is new.

    A file that did not exist is dated long ago, because being new is no reason to run anything; unless outputs are there
    that were made with other settings.
    """
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    known = path.is_file()
    if known and path.read_bytes() == text.encode():
        return
    if known and in_use_by:
        raise UserError(
            f"another snakemake is at work here with other settings ({in_use_by}; {path} would change under its jobs); "
            "wait for its end, or use another folder: --directory"
        )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        if not known and not changed:
            os.utime(temporary, (LONG_AGO, LONG_AGO))
