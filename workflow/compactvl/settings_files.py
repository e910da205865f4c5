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

from compactvl.files import atomic_path, read_json
from compactvl.manifest import MANIFEST
from compactvl.plan import Plan

RUN_FIELDS = frozenset({"benchmarks", "seeds"})
"""Fields of a variant that say which jobs there are; no job's outcome depends on them."""
LONG_AGO = 946684800
"""1 January 2000, the time of a settings file that did not exist before: being new is no reason to run anything."""
SECTIONS = ("sources", "weights", "datasets", "encoders", "text_encoders", "benchmarks")


def write_settings_files(plan: Plan) -> None:
    """Write every resolved setting of a plan, where its content is new."""
    root, layout = plan.root, plan.layout
    for section in SECTIONS:
        for name, settings in getattr(root, section).items():
            body = settings.model_dump(mode="json")
            outputs = {
                "datasets": [layout.dataset(name) / MANIFEST],
                "benchmarks": layout.results.glob(f"*/*/seed*/{name}.json"),
            }
            changed = any(other != body for other in _recorded(outputs.get(section, []), "settings"))
            if section == "datasets":
                sources = {key: root.sources[key].model_dump(mode="json") for key in plan.dataset_sources(name)}
                body = {"settings": body, "sources": sources}
            _write(layout.settings(section, name), body, changed)
    for study, resolved in plan.studies.items():
        for name, variant in resolved.variants.items():
            body = variant_body(variant)
            made_with = _recorded(layout.run(study, name, 0).parent.glob("seed*/settings.json"))
            changed = any({k: v for k, v in other.items() if k not in RUN_FIELDS} != body for other in made_with)
            _write(layout.settings(study, name), body, changed)
    lists = {"results.json": plan.results()}
    lists |= {f"results/{study}.json": plan.results(study) for study in plan.studies}
    for name, results in lists.items():
        _write(layout.root / "state" / "settings" / name, results, changed=False)


def variant_body(variant: BaseModel) -> dict[str, Any]:
    """Return a variant's settings as its settings file holds them."""
    return variant.model_dump(mode="json", exclude=set(RUN_FIELDS))


def _recorded(paths: Iterable[Path], key: str | None = None) -> list[Any]:
    """Return the settings that outputs already on disk (e.g. pulled by DVC) say they were made with."""
    bodies = [read_json(path) for path in paths if path.is_file()]
    return bodies if key is None else [body[key] for body in bodies if key in body]


def _write(path: Path, body: Any, changed: bool) -> None:
    """Write a settings file if its content is new.

    A file that did not exist is dated long ago, because being new is no reason to run anything; unless outputs are there
    that were made with other settings.
    """
    text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    known = path.is_file()
    if known and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        if not known and not changed:
            os.utime(temporary, (LONG_AGO, LONG_AGO))
