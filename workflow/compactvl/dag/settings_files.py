"""Each thing's resolved settings in a small file of its own, so that a job depends on just the settings it uses.

A settings file is rewritten only when its content changes. Snakemake re-runs a job whose input is newer than its
output and has another content, so the file's time says when the setting last changed. A file that was not there before
(a clone has none) is dated long ago, because being new is no reason to run anything; unless something is here that was
made with another content of it, as its provenance says.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compactvl.dag.identity import settings_digest, variant_body
from compactvl.dag.plan import Plan
from compactvl.data.listing import listing_digest
from compactvl.errors import UserError
from compactvl.files import atomic_path, json_text, read_json
from compactvl.records.layout import Layout
from compactvl.records.record import here, is_provenance

LONG_AGO = 946684800
"""1 January 2000."""
SECTIONS = ("sources", "weights", "datasets", "encoders", "text_encoders", "benchmarks")


def write_settings_files(plan: Plan, in_use_by: str | None = None) -> None:
    """Write every resolved setting of a plan, where its content is new.

    Args:
        plan: the plan.
        in_use_by: another process whose jobs read these files now: none of them may change.

    Raises:
        UserError: one would change under that process.
    """
    contents = dict(_contents(plan))
    made_with = {} if all(path.is_file() for path in contents) else _made_with(plan.layout)
    for path, body in contents.items():
        others = made_with.get(here(path), set()) - {settings_digest(body)}
        _write(path, json_text(body), bool(others), in_use_by)


def _contents(plan: Plan) -> Iterator[tuple[Path, Any]]:
    """Yield every settings file with its content."""
    root, layout = plan.root, plan.layout
    for section in SECTIONS:
        for name, settings in getattr(root, section).items():
            body = settings.model_dump(mode="json")
            if section == "datasets":
                folder = settings.own_folder()
                body = {"settings": body, "images": None if folder is None else listing_digest(folder)}
            yield layout.settings(section, name), body
    for study, resolved in plan.studies.items():
        for name, variant in resolved.variants.items():
            yield layout.settings(study, name), variant_body(variant)
        yield layout.settings("results", study), plan.results(study)
        yield layout.settings("reports", study), plan.report_inputs(study)
    yield layout.settings("", "results"), plan.results()


def _made_with(layout: Layout) -> dict[str, set[str]]:
    """Return settings file → SHA-256 of each content of it that something here was made with."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in layout.made for path in folder.rglob("*.json") if is_provenance(path)):
        with contextlib.suppress(UserError, AttributeError):  # damaged: verify and restore name it
            for name, sha256 in read_json(path).get("settings", {}).items():
                found.setdefault(name, set()).add(sha256)
    return found


def _write(path: Path, text: str, changed: bool, in_use_by: str | None) -> None:
    """Write a settings file if its content is new; ``changed``: a file that was not there is a change too."""
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
