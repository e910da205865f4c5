"""A chain of provenance as indented text: every step once, long lists grouped, versions at the end."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from compactvl.records.explain import Chain, File, Input, Step, differs

INDENT = "  "
LONG = 8
"""Results or runs of one step above which they are grouped."""
FEW = 4
WIDE = 150
SHORT_HASH = 12
SHA256 = re.compile(r"[0-9a-f]{64}")


def chain_text(chain: Chain, *, full: bool = False, depth: int | None = None) -> str:
    """Return a chain as text.

    Args:
        chain: the chain.
        full: every setting and every file, whole hashes.
        depth: levels to print, nothing grouped; default: all levels, long lists grouped.
    """
    writer = _Writer(chain, full, depth)
    writer.step(chain.first, 0)
    writer.ends()
    return "\n".join(writer.lines)


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


def settings_line(settings: Mapping[str, Any]) -> str:
    """Return settings on one line, those that are not set left out, cut where it gets long."""
    text = ", ".join(f"{name}={_value(value)}" for name, value in settings.items() if value not in (None, [], {}, ""))
    return text if len(text) <= WIDE else f"{text[:WIDE].rsplit(', ', 1)[0]}, … (--full)"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_value(v)}" for k, v in value.items() if v not in (None, [], {}, "")) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return value[:SHORT_HASH] if isinstance(value, str) and SHA256.fullmatch(value) else str(value)


class _Writer:
    def __init__(self, chain: Chain, full: bool, depth: int | None) -> None:
        self.chain, self.full, self.depth = chain, full, depth
        self.lines: list[str] = []
        self.done: set[str] = set()

    def line(self, level: int, text: str) -> None:
        self.lines.append(INDENT * level + text)

    def hash(self, digest: str) -> str:
        return digest if self.full else digest[:SHORT_HASH]

    def file(self, file: File) -> str:
        return f"{file.path} {self.hash(file.sha256)} {file.status}"

    def step(self, key: str, level: int) -> None:
        step = self.chain.steps[key]
        if key in self.done:
            self.line(level, f"{title(step)}: above")
            return
        self.done.add(key)
        self.line(level, f"{title(step)}: {key} {step.status}")
        inner = level + 1
        self._files(step, inner)
        self._settings(step, inner)
        if made := self._made(step):
            self.line(inner, f"made: {made}")
        if step.inputs and (self.depth is None or inner < self.depth):
            self.line(inner, "from:")
            self._inputs(step.inputs, inner + 1)

    def _files(self, step: Step, level: int) -> None:
        if self.full or len(step.files) <= FEW:
            for file in step.files:
                self.line(level, self.file(file))
            return
        shown = [file for file in step.files if differs(file) or file.path == str(self.chain.target)]
        self.line(level, f"{len(step.files)} files, {self._state(step.files)}")
        for file in shown:
            self.line(level, self.file(file))

    def _settings(self, step: Step, level: int) -> None:
        if not step.settings:
            return
        if not self.full:
            self.line(level, f"settings: {settings_line(step.settings)}")
            return
        self.line(level, "settings:")
        for name, value in step.settings.items():
            self.line(level + 1, f"{name}: {_value(value)}")

    def _made(self, step: Step) -> str:
        facts = step.provenance
        if not facts:
            return ""
        code = facts.get("code")
        now = "as now" if code == step.code_now else f"now {step.code_now}"
        parts = [f"code {code}" + (f" ({now})" if step.code_now else "")] if code else []
        if facts.get("seconds") is not None:
            parts.append(f"{facts['seconds']:g} s")
        threads = facts.get("threads")
        parts.append(f"on {facts.get('device')}" + (f", {threads} thread(s)" if threads else ""))
        return ", ".join(parts)

    def _inputs(self, inputs: Sequence[Input], level: int) -> None:
        steps = list(dict.fromkeys(item.step for item in inputs if item.step is not None))
        self._leaves([item for item in inputs if item.step is None], level)
        jobs = {stage: [k for k in steps if self.chain.steps[k].stage == stage] for stage in ("evaluate", "train")}
        grouped: set[str] = set()
        if self.depth is None:
            grouped = {key for keys in jobs.values() if len(keys) > LONG for key in keys} - self.done
            # The runs behind grouped results are many too.
            runs = {k for k in self.chain.below(grouped) if self.chain.steps[k].stage == "train"} if grouped else set()
            grouped |= runs - self.done
        for key in steps:
            if key not in grouped and not (grouped and key in self.done):
                self.step(key, level)
        # A table among the inputs may have told of them already.
        if left := grouped - self.done:
            self._group(left, level)
        elif grouped:
            self.line(level, f"{len(grouped)} results and runs: above")

    def _group(self, grouped: set[str], level: int) -> None:
        self.done |= grouped
        for stage, what in (("evaluate", "results"), ("train", "runs")):
            keys = sorted(key for key in grouped if self.chain.steps[key].stage == stage)
            rows = [(self.chain.steps[key].body, key) for key in keys]
            variants = {(body.get("study"), body.get("variant")) for body, _ in rows}
            if rows:
                self.line(level, f"{len(rows)} {what} of {len(variants)} variants:")
            for (study, variant), members in groupby(
                rows, key=lambda row: (row[0].get("study"), row[0].get("variant"))
            ):
                self.line(level + 1, f"{study}/{variant}: {self._members(list(members), stage)}")
        rest = [key for key in self.chain.below(grouped) if key not in self.done]
        if rest:
            self.line(level, "behind these:")
        for key in rest:
            if key not in self.done:
                self.step(key, level + 1)

    def _members(self, members: Sequence[tuple[dict[str, Any], str]], stage: str) -> str:
        steps = [self.chain.steps[key] for _, key in members]
        seeds = sorted({body.get("seed") for body, _ in members})
        names = list(dict.fromkeys(body.get("benchmark") for body, _ in members)) if stage == "evaluate" else []
        seconds = sum(step.provenance.get("seconds") or 0 for step in steps)
        codes = {step.provenance.get("code") for step in steps}
        now = (
            "code as now"
            if all(s.provenance.get("code") == s.code_now for s in steps)
            else f"code {', '.join(map(str, codes))}"
        )
        state = self._state(file for step in steps for file in (File(step.record, "", step.status), *step.files))
        parts = [*([" ".join(names)] if names else []), f"seed {', '.join(map(str, seeds))}", now, f"{seconds:.1f} s"]
        return ", ".join([*parts, state])

    def _state(self, files: Iterable[File]) -> str:
        states = {file.status for file in files}
        if any(differs(File("", "", state)) for state in states):
            return "NOT ALL AS RECORDED"
        return " or ".join(sorted(states))

    def _leaves(self, inputs: Sequence[Input], level: int) -> None:
        if sources := [item for item in inputs if item.source is not None]:
            state = self._state(item.file for item in sources)
            self.line(level, f"sources {', '.join(item.name for item in sources)} (see below) {state}")
        others = [item for item in inputs if item.source is None]
        if len(others) > FEW and not self.full:
            known = [item.file for item in others if item.file is not None]
            state = f", {self._state(known)}" if known else ""
            self.line(level, f"{len(others)} files, {others[0].name} …{state}")
            return
        for item in others:
            self.line(level, f"{item.name} {self.hash(item.sha256)}" if item.file is None else self.file(item.file))

    # What is said once of the whole chain.

    def ends(self) -> None:
        steps = list(self.chain.steps.values())
        if sources := self.chain.sources():
            self.line(0, "sources:")
            for name, item in sources.items():
                facts, file = item.source, item.file
                pin = f", {facts['dvc']} (md5 {facts['md5']})" if facts.get("dvc") else ", no .dvc file"
                package = f"{facts['package']} {facts['version']}, {facts['licence']}"
                self.line(1, f"{name}: {package}, {file.path} sha256 {item.sha256} {file.status}{pin}")
        self.line(0, "computed with:")
        for facts in ("hardware", "python", "packages", "deterministic"):
            for text, owners in _shared(facts, steps).items():
                others = len(owners) < sum(bool(step.provenance.get(facts)) for step in steps)
                where = f" (in {_some(owners)})" if others else ""
                self.line(1, f"{facts}: {text}{where}")
        seconds = sum(step.provenance.get("seconds") or 0 for step in steps)
        files = sum(len(step.files) for step in steps)
        self.line(0, f"{len(steps)} steps, {files} files, {seconds:.1f} s in all")


def _shared(name: str, steps: Iterable[Step]) -> dict[str, list[str]]:
    """Return text → records of the steps of which it holds, commonest first."""
    found: dict[str, list[str]] = {}
    for step in steps:
        if value := step.provenance.get(name):
            text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else str(value)
            found.setdefault(text, []).append(step.record)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def _some(records: Sequence[str]) -> str:
    return ", ".join(records) if len(records) <= FEW else f"{', '.join(records[:FEW])} and {len(records) - FEW} more"
