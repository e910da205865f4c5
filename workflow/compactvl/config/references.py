"""Settings that name other things of the configuration, declared where the setting is.

    dataset: Annotated[str, Ref("datasets", "captioned_images")] = Field(description=...)

One walk over a settings object finds every reference, so whoever checks them, or draws the DAG's edges from them, needs to
know no kind of data set, benchmark or variant.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from compactvl.config.base import did_you_mean


@dataclass(frozen=True)
class Ref:
    """A setting that names something of another section.

    Attributes:
        section: ``sources``, ``weights``, ``datasets``, ``encoders``, ``text_encoders``, ``benchmarks``, or ``variants``:
            those of the same study.
        accepts: what the thing must be, any one of: kinds, or what a data set holds. Empty accepts everything.
        besides: words that have a meaning of their own here and name nothing.
    """

    section: str
    accepts: tuple[str, ...]
    besides: tuple[str, ...]
    accepts_by: Callable[[Any], tuple[str, ...]] | None

    def __init__(
        self,
        section: str,
        *accepts: str,
        besides: tuple[str, ...] = (),
        accepts_by: Callable[[Any], tuple[str, ...]] | None = None,
    ) -> None:
        """Declare a reference; ``accepts_by`` computes ``accepts`` from the settings that hold it."""
        for name, value in {
            "section": section, "accepts": accepts, "besides": besides, "accepts_by": accepts_by,
        }.items():  # fmt: skip
            object.__setattr__(self, name, value)


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
        value, where = getattr(settings, field), f"{place}.{field}" if place else field
        ref = next((one for one in info.metadata if isinstance(one, Ref)), None)
        if ref is None:
            for inner, one in _models(value, where):
                yield from references(one, inner)
            continue
        accepts = ref.accepts if ref.accepts_by is None else ref.accepts_by(settings)
        names = [value] if isinstance(value, str) else value or ()
        yield from (Reference(where, ref.section, accepts, name) for name in names if name not in ref.besides)


def named(settings: BaseModel, section: str) -> list[str]:
    """Return what settings name of a section, each once, in their order."""
    return list(dict.fromkeys(found.name for found in references(settings) if found.section == section))


def reference_problems(
    settings: BaseModel, place: str, known: Mapping[str, Mapping[str, frozenset[str]]], nouns: Mapping[str, str]
) -> list[str]:
    """Return one line for each reference to something that is not there, or is not what it must be.

    Args:
        settings: whose references. place: theirs in the config.
        known: section → name → what the thing is: its kind, and what it holds. Other sections are not looked at.
        nouns: section → what one of its things is called.
    """
    problems = []
    for found in references(settings):
        where, there = f"{place}.{found.place}", known.get(found.section)
        if there is None:
            continue
        noun = nouns[found.section]
        if found.name not in there:
            problems.append(f'{where}: unknown {noun} "{found.name}"{did_you_mean(found.name, there)}')
        elif found.accepts and not there[found.name] & set(found.accepts):
            wanted = " or ".join(accepted.replace("_", " ") for accepted in found.accepts)
            problems.append(
                f'{where}: {noun} "{found.name}" is {", ".join(sorted(there[found.name]))}; name one that is or holds {wanted}'
            )
    return problems


def _models(value: Any, place: str) -> Iterator[tuple[str, BaseModel]]:
    if isinstance(value, BaseModel):
        yield place, value
    elif isinstance(value, Mapping):
        yield from ((f"{place}.{key}", one) for key, one in value.items() if isinstance(one, BaseModel))
    elif isinstance(value, tuple | list):
        yield from ((f"{place}.{number}", one) for number, one in enumerate(value) if isinstance(one, BaseModel))
