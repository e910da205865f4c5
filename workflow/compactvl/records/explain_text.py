"""A chain of provenance on the terminal: a tree in which every step is told once and many of a kind are one line."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from compactvl.records.explain import Chain, File, Input, Step

FEW = 4
"""Steps or files of one kind above which they are one line."""
WIDE = 150
SHORT_HASH = 12
SHA256 = re.compile(r"[0-9a-f]{64}")


def chain_tree(chain: Chain) -> Tree:
    """Return a chain as a tree: below each step what it was made from."""
    tree = Tree(Text(str(chain.target)))
    _branch(tree, chain, [chain.first], set())
    return tree


def summary(chain: Chain) -> list[str]:
    """Return what is said once of the whole chain: with what it was computed, and how much there is of it."""
    steps, lines = list(chain.steps.values()), []
    for name in ("hardware", "python", "packages", "deterministic"):
        known = [_value(step.provenance[name]) for step in steps if step.provenance.get(name)]
        lines += [
            f"{name}: {text.strip('{}')}" + (f" ({known.count(text)} steps)" if known.count(text) < len(known) else "")
            for text in sorted(set(known), key=known.count, reverse=True)
        ]
    files = sum(len(step.files) for step in steps)
    return [*lines, f"{len(steps)} steps, {files} files, {_seconds(steps):.1f} s in all"]


def title(step: Step) -> str:
    """Return what a step did, in a few words."""
    body = step.body
    job = f"{body.get('study')}/{body.get('variant')} seed {body.get('seed')}"
    encoder = body.get("encoder") or {}
    titles = {
        "evaluate": f"evaluate {job} on {body.get('benchmark')}",
        "train": f"train {job}",
        "curate": f"curate data set {body.get('name')}",
        "encode": f"encode images of {(body.get('dataset') or {}).get('name')} with {encoder.get('name')}",
        "embed": f"embed captions with {encoder.get('name')}",
        "weights": f"convert weights {body.get('name')}",
        "collect": f"collect results of {body.get('study') or 'all studies'}",
        "parameters": f"count parameters of {body.get('study')}",
        "report": f"report {body.get('study')}",
        "index": "write the index",
    }
    return titles.get(step.stage, step.stage)


def _branch(parent: Tree, chain: Chain, records: Iterable[str], told: set[str]) -> None:
    """Add steps below a node, and below each what it was made from."""
    by_stage: dict[str, list[Step]] = {}
    for step in (chain.steps[record] for record in dict.fromkeys(records)):
        by_stage.setdefault(step.stage, []).append(step)
    for steps in by_stage.values():
        fresh = [step for step in steps if step.record not in told]
        told.update(step.record for step in steps)
        if len(fresh) > FEW:
            node, read = parent.add(_many(fresh)), [item for step in fresh for item in step.inputs]
            _inputs(node, chain, read, told)
            continue
        if known := [title(step) for step in steps if step not in fresh]:
            parent.add(Text(f"{_some(known)}: above", "dim"))
        for step in fresh:
            _inputs(parent.add(_one(step, str(chain.target))), chain, step.inputs, told)


def _inputs(node: Tree, chain: Chain, inputs: Sequence[Input], told: set[str]) -> None:
    leaves = {item.path: item for item in inputs if item.step is None}
    if known := [path for path in leaves if path in told]:
        node.add(Text(f"{_some(known)}: above", "dim"))
    leaves = {path: item for path, item in leaves.items() if path not in told}
    told.update(leaves)
    many = [item for item in leaves.values() if item.source is None and not item.differs]
    if len(many) > FEW:
        node.add(Text(f"{len(many)} files, {many[0].path} …, {_state(many)}"))
    for item in leaves.values():
        if item.source is not None or item not in many or len(many) <= FEW:
            node.add(Text(_leaf(item)))
    _branch(node, chain, [item.step for item in inputs if item.step is not None], told)


def _one(step: Step, target: str) -> Text:
    text = Text(f"{title(step)}: {step.record} {step.status}")
    shown = step.files if len(step.files) <= FEW else [f for f in step.files if f.differs or f.path == target]
    if len(shown) < len(step.files):
        text.append(f"\n{len(step.files)} files, {_state(step.files)}")
    for file in shown:
        text.append(f"\n{file.path} {file.sha256[:SHORT_HASH]} {file.status}")
    if step.settings:
        text.append(f"\nsettings: {_settings_line(step.settings)}", "dim")
    if facts := step.provenance:
        now = {None: "", facts["code"]: " (as now)"}.get(step.code_now, f" (now {step.code_now})")
        threads = f", {facts['threads']} thread(s)" if facts["threads"] else ""
        text.append(f"\nmade: code {facts['code']}{now}, {facts['seconds']:g} s on {facts['device']}{threads}", "dim")
    return text


def _many(steps: Sequence[Step]) -> Text:
    names = dict.fromkeys(title(step) for step in steps)
    now = {step.provenance.get("code") == step.code_now for step in steps}
    code = "code as now" if now == {True} else "code not all as now"
    files = [File(step.record, "", step.status) for step in steps] + [file for step in steps for file in step.files]
    return Text(f"{len(steps)} steps: {_some(list(names))}; {code}, {_seconds(steps):.1f} s, {_state(files)}")


def _leaf(item: Input) -> str:
    if item.source is None:
        return f"{item.path} {item.sha256[:SHORT_HASH]} {item.status}"
    facts = item.source
    package = f"{facts['package']} {facts['version']}, {facts['licence']}" if "package" in facts else "unknown package"
    pin = f", {facts['dvc']} (md5 {facts['md5']})" if facts["dvc"] else ", no .dvc file"
    return f"{package}: {item.path} sha256 {item.sha256} {item.status}{pin}"


def _settings_line(settings: Mapping[str, Any]) -> str:
    """Return settings on one line, those that are not set left out, cut where it gets long."""
    text = ", ".join(f"{name}={_value(value)}" for name, value in settings.items() if value not in (None, [], {}, ""))
    return text if len(text) <= WIDE else f"{text[:WIDE].rsplit(', ', 1)[0]}, … (--json)"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items() if v not in (None, [], {}, "")) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return value[:SHORT_HASH] if isinstance(value, str) and SHA256.fullmatch(value) else str(value)


def _state(files: Iterable[File]) -> str:
    states = {"NOT ALL AS RECORDED" if file.differs else file.status for file in files}
    return max(states, key=str.isupper)


def _seconds(steps: Iterable[Step]) -> float:
    return sum(step.provenance.get("seconds") or 0 for step in steps)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{', '.join(names[:FEW])} and {len(names) - FEW} more"
