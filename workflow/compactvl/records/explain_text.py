"""A chain of provenance on the terminal: a tree in which every step is told once and many of a kind are one line."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text
from rich.tree import Tree

from compactvl.records.explain import Chain, Step

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
        for text in sorted(set(known), key=known.count, reverse=True):
            some = f" ({known.count(text)} steps)" if known.count(text) < len(known) else ""
            lines.append(f"{name}: {text.strip('{}')}{some}")
    return [
        *lines,
        f"{len(steps)} steps, {sum(len(step.files) for step in steps)} files, {_seconds(steps):.1f} s in all",
    ]


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
    stage = str(body.get("stage", "unknown"))
    return titles.get(stage, stage)


def _branch(parent: Tree, chain: Chain, records: Iterable[str], told: set[str]) -> None:
    """Add steps below a node, and below each what it was made from."""
    by_stage: dict[str, list[Step]] = {}
    for step in (chain.steps[record] for record in dict.fromkeys(records)):
        by_stage.setdefault(step.body.get("stage", ""), []).append(step)
    for steps in by_stage.values():
        fresh = [step for step in steps if step.record not in told]
        told.update(step.record for step in steps)
        _above(parent, [title(step) for step in steps if step not in fresh])
        if len(fresh) > FEW:
            _made_from(parent.add(_many(fresh)), chain, fresh, told)
        else:
            for step in fresh:
                _made_from(parent.add(_one(step, str(chain.target))), chain, [step], told)


def _made_from(node: Tree, chain: Chain, steps: Sequence[Step], told: set[str]) -> None:
    """Add what steps were made from below their node: archives and files that no step made, then steps."""
    leaves = {path: step for step in steps for path in step.inputs.keys() - step.steps.keys()}
    _above(node, sorted(leaves.keys() & told))
    for path in sorted(leaves.keys() - told):
        node.add(Text(_leaf(path, leaves[path])))
    told.update(leaves)
    _branch(node, chain, (record for step in steps for record in step.steps.values()), told)


def _above(node: Tree, names: Sequence[str]) -> None:
    if names:
        node.add(Text(f"{_some(names)}: above", "dim"))


def _one(step: Step, target: str) -> Text:
    text = Text(f"{title(step)}: {step.record}{_state([step])}")
    shown = step.files if len(step.files) <= FEW else [target] if target in step.files else []
    if len(shown) < len(step.files):
        text.append(f"\n{len(step.files)} files")
    for path in shown:
        text.append(f"\n{path} {step.files[path][:SHORT_HASH]}")
    if step.settings:
        text.append(f"\nsettings: {_settings_line(step.settings)}", "dim")
    if facts := step.provenance:
        now = {None: "", facts["code"]: " (as now)"}.get(step.code_now, f" (now {step.code_now})")
        threads = f", {facts['threads']} thread(s)" if facts["threads"] else ""
        text.append(f"\nmade: code {facts['code']}{now}, {facts['seconds']:g} s on {facts['device']}{threads}", "dim")
    return text


def _many(steps: Sequence[Step]) -> Text:
    as_now = all(step.provenance.get("code") == step.code_now for step in steps)
    code = "code as now" if as_now else "code not all as now"
    names = list(dict.fromkeys(map(title, steps)))
    return Text(f"{len(steps)} steps: {_some(names)}; {code}, {_seconds(steps):.1f} s{_state(steps)}")


def _leaf(path: str, step: Step) -> str:
    if path not in step.sources:
        return f"{path} {step.inputs[path][:SHORT_HASH]}"
    facts = step.sources[path]
    package = f"{facts['package']} {facts['version']}, {facts['licence']}" if "package" in facts else "unknown package"
    pin = f", {facts['dvc']} (md5 {facts['md5']})" if facts["dvc"] else ", no .dvc file"
    return f"{package}: {path} sha256 {step.inputs[path]}{pin}"


def _state(steps: Iterable[Step]) -> str:
    return " NOT AS RECORDED" if any(step.problems for step in steps) else ""


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


def _seconds(steps: Iterable[Step]) -> float:
    return sum(step.provenance.get("seconds") or 0 for step in steps)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= FEW else f"{', '.join(names[:FEW])} and {len(names) - FEW} more"
