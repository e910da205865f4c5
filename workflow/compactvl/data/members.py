"""Files of one archive (``.tgz`` or ``.whl``), read in memory in a single pass: nothing is ever extracted to disk."""

import contextlib
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from compactvl.errors import UserError

LARGEST_MEMBER, LARGEST_TOTAL = 1 << 30, 256 << 20


def read_member(archive: Path, member: str, *, largest: int = LARGEST_MEMBER) -> bytes:
    """Return one file of an archive, the first of that name; see :func:`read_members`."""
    return read_members(archive, re.escape(member), largest=largest, number=1)[member]


def read_members(
    archive: Path, pattern: str, *, largest: int = LARGEST_TOTAL, number: int | None = None
) -> dict[str, bytes]:
    """Return every regular file of an archive whose whole name matches.

    Args:
        pattern: regular expression of the files' names inside it, with forward slashes.
        largest: most bytes accepted in all, against damaged or hostile archives.
        number: files after which reading ends; ``None`` reads on to the archive's end.

    Returns:
        Name → content, in the archive's order; of a repeated name the first.

    Raises:
        UserError: the archive is missing or damaged, holds no such file, or more bytes than accepted.
    """
    found: dict[str, bytes] = {}
    total = 0
    try:
        with contextlib.closing(_files(Path(archive))) as files:
            for name, size, stream in files:
                if name in found or not re.fullmatch(pattern, name):
                    continue
                # What a file says of its size need not be true.
                found[name] = stream.read(largest - total + 1) if size <= largest else b""
                total += max(size, len(found[name]))
                if total > largest:
                    raise UserError(
                        f"{archive}: {name} goes beyond the {largest} bytes accepted; fetch the source again"
                    )
                if len(found) == number:
                    break
    except FileNotFoundError:
        raise UserError(f"{archive} is missing: run the target 'data' (or 'dvc pull') to fetch it") from None
    except UserError:
        raise
    except Exception as error:  # whatever a damaged or hostile archive provokes in tarfile, zipfile and zlib
        raise UserError(f"{archive} cannot be read ({error}); delete it and fetch it again") from error
    if not found:
        name = pattern.replace("\\", "")
        raise UserError(f"{archive} has no file {name}; is it the package and version the config names?")
    return found


def _files(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield (name, size as told, content as a stream) of each regular file."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                with zipped.open(info) as stream:
                    yield info.filename, info.file_size, stream
    else:
        with tarfile.open(archive, "r|gz") as packed:
            for info in packed:
                if info.isreg():
                    yield info.name, info.size, packed.extractfile(info)
