"""Settings that name other things of the configuration, declared where the setting is.

    dataset: Annotated[str, Ref("datasets", "captioned_images")] = Field(description=...)

One walk over a settings object finds every reference, so whoever checks them, or draws the DAG's edges from them, needs to
know no kind of data set, benchmark or variant.
"""

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from compactvl.config.base import did_you_mean


class Ref:
    """A setting that names something of another section.

    Attributes:
        section: ``sources``, ``weights``, ``datasets``, ``encoders``, ``text_encoders``, ``benchmarks``, or ``variants``:
            those of the same study.
        accepts: what the thing must be, any one of: kinds, or what a data set holds. Empty accepts everything.
        besides: words that have a meaning of their own here and name nothing.
        accepts_by: computes ``accepts`` from the settings that hold the reference, or ``None``.
    """

    def __init__(
        self,
        section: str,
        *accepts: str,
        besides: tuple[str, ...] = (),
        accepts_by: Callable[[Any], tuple[str, ...]] | None = None,
    ) -> None:
        self.section, self.accepts, self.besides, self.accepts_by = section, accepts, besides, accepts_by


@dataclass(frozen=True)
class Reference:
    """One name that settings give.

    Attributes:
        place: where, below the settings: ``start.adapter``. section, accepts: see :class:`Ref`. name: what is named.
    """

    place: str
    section: str
    accepts: tuple[str, ...]
    name: str


def references(settings: BaseModel, place: str = "") -> Iterator[Reference]:
    """Yield every name that settings give, nested ones too."""
    for field, info in type(settings).model_fields.items():
        where = f"{place}.{field}" if place else field
        yield from _within(getattr(settings, field), info.annotation, info.metadata, where, settings)


def _within(value: Any, annotation: Any, metadata: Iterable[Any], place: str, owner: BaseModel) -> Iterator[Reference]:
    """Yield the names in one value of the settings ``owner``, as its annotation declares them."""
    ref = next((one for one in metadata if isinstance(one, Ref)), None)
    if ref is not None:
        accepts = ref.accepts if ref.accepts_by is None else ref.accepts_by(owner)
        names = [value] if isinstance(value, str) else value or ()
        yield from (Reference(place, ref.section, accepts, name) for name in names if name not in ref.besides)
    elif isinstance(value, BaseModel):
        yield from references(value, place)
    elif isinstance(value, Mapping):
        declared = typing.get_args(annotation) if typing.get_origin(annotation) is dict else (None, None)
        for key, one in value.items():
            for inner, its in zip((key, one), declared, strict=True):
                yield from _within(inner, its, getattr(its, "__metadata__", ()), f"{place}.{key}", owner)
    elif isinstance(value, tuple | list):
        for number, one in enumerate(value):
            yield from _within(one, None, (), f"{place}.{number}", owner)


def named(settings: BaseModel, section: str) -> list[str]:
    """Return what settings name of a section, each once, in their order."""
    return list(dict.fromkeys(found.name for found in references(settings) if found.section == section))


def reference_problems(
    found: Iterable[Reference], known: Mapping[str, Mapping[str, frozenset[str]]], nouns: Mapping[str, str]
) -> list[str]:
    """Return one line for each reference to something that is not there, or is not what it must be.

    Args:
        found: the references. known: section → name → what the thing is: its kind, and what it holds. References to other
            sections are not looked at.
        nouns: section → what one of its things is called.
    """
    problems = []
    for one in found:
        there = known.get(one.section)
        if there is None:
            continue
        noun = nouns[one.section]
        if one.name not in there:
            problems.append(f'{one.place}: unknown {noun} "{one.name}"{did_you_mean(one.name, there)}')
        elif one.accepts and not there[one.name] & set(one.accepts):
            wanted, what = (", ".join(sorted(words)).replace("_", " ") for words in (one.accepts, there[one.name]))
            fitting = " or ".join(name for name, its in there.items() if its & set(one.accepts))
            problems.append(
                f'{one.place}: needs {wanted}, which {noun} "{one.name}" ({what}) is not; '
                f"{f'name {fitting}' if fitting else 'the config has none'}"
            )
    return problems
