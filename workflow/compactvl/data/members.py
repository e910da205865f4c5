"""Many files of one archive, read in memory in a single pass."""

import re
import tarfile
from pathlib import Path

from compactvl.errors import UserError

LARGEST_TOTAL = 256 << 20


def read_members(archive: Path, pattern: str, *, largest: int = LARGEST_TOTAL) -> dict[str, bytes]:
    """Return every file of a ``.tgz`` archive whose whole name matches; nothing is extracted to disk.

    Args:
        archive: path of the archive.
        pattern: regular expression of the files' names inside it, with forward slashes.
        largest: most bytes accepted in all, against damaged or hostile archives.

    Returns:
        Name → content, in the archive's order; of a repeated name the first.

    Raises:
        UserError: the archive is missing or damaged, holds no such file, or more bytes than accepted.
    """
    archive, wanted = Path(archive), re.compile(pattern)
    found: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(archive, "r|gz") as file:
            for info in file:
                if not info.isreg() or info.name in found or not wanted.fullmatch(info.name):
                    continue
                total += info.size
                if total > largest:
                    raise UserError(
                        f"{archive}: its files are larger than the {largest} bytes accepted; fetch the source again"
                    )
                found[info.name] = file.extractfile(info).read()
    except FileNotFoundError:
        raise UserError(f"{archive} is missing: run the target 'data' (or 'dvc pull') to fetch it") from None
    except UserError:
        raise
    except Exception as error:  # whatever a damaged or hostile archive provokes in tarfile and zlib
        raise UserError(f"{archive} cannot be read ({error}); delete it and fetch it again") from error
    if not found:
        raise UserError(f"{archive} has no file {pattern}; is it the package and version the config names?")
    return found
