"""Emoji artwork: SVG bodies of an Iconify package → RGBA pixels at the size they are used.

An icon is cropped to what it draws: the same "big" is the same number of pixels in every art style, whatever margin
its designers left. Rasterised at the target size by resvg; nothing is resampled.
"""

import io
import json
from functools import lru_cache
from pathlib import Path

import resvg_py
from PIL import Image

from compactvl.data.emoji import code_of
from compactvl.data.members import read_member
from compactvl.errors import UserError

PROBE_PIXELS = 96
Window = tuple[float, float, float, float]  # left, top, width, height in the drawing's own units


class Artwork:
    """One art style.

    Args:
        name: the style's name, for messages.
        archive: its Iconify npm package.

    Raises:
        UserError: the archive is missing, damaged, or no icon set.
    """

    def __init__(self, name: str, archive: Path) -> None:
        self.name = name
        try:
            self._set = json.loads(read_member(archive, "package/icons.json"))
            characters = json.loads(read_member(archive, "package/chars.json"))
            self._icons, self._aliases = self._set["icons"], self._set.get("aliases", {})
            self._names = {code_of(code): icon for code, icon in characters.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{archive} is not an Iconify icon set ({error!r}); check the source {name!r}") from error
        self._raster = lru_cache(maxsize=None)(self._rasterise)
        self._window = lru_cache(maxsize=None)(self._tight_window)

    def __contains__(self, code: str) -> bool:
        return code in self._names and self._name(code) in self._icons

    def raster(self, code: str, pixels: int) -> Image.Image:
        """Return an emoji as an RGBA image whose longer side is ``pixels``, cropped to what is drawn.

        The same object is returned each time: do not change it.

        Raises:
            UserError: the style lacks the emoji, or its drawing cannot be rasterised.
        """
        return self._raster(code, pixels)

    def _name(self, code: str) -> str:
        name = self._names[code]
        while name in self._aliases and name not in self._icons:
            name = self._aliases[name]["parent"]
        return name

    def _icon(self, code: str) -> dict:
        return self._icons[self._name(code)]

    def _svg(self, code: str, size: tuple[int, int], window: Window | None = None) -> str:
        icon = self._icon(code)
        left, top, width, height = window or self._frame(icon)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size[0]}" height="{size[1]}" '
            f'viewBox="{left} {top} {width} {height}">{icon["body"]}</svg>'
        )

    def _frame(self, icon: dict) -> Window:
        return (
            icon.get("left", self._set.get("left", 0)),
            icon.get("top", self._set.get("top", 0)),
            icon.get("width", self._set.get("width", 16)),
            icon.get("height", self._set.get("height", 16)),
        )

    def _tight_window(self, code: str) -> Window:
        """Return the part of the drawing's plane that has ink: left, top, width, height."""
        left, top, width, height = self._frame(self._icon(code))
        probe = self._draw(code, (PROBE_PIXELS, round(PROBE_PIXELS * height / width)))
        box = probe.getchannel("A").point(lambda a: 255 if a > 12 else 0).getbbox()
        if box is None:
            raise UserError(f"art style {self.name!r} draws nothing for emoji {code}; leave the concept out")
        scale = width / PROBE_PIXELS
        return left + box[0] * scale, top + box[1] * scale, (box[2] - box[0]) * scale, (box[3] - box[1]) * scale

    def _rasterise(self, code: str, pixels: int) -> Image.Image:
        if code not in self:
            raise UserError(f"art style {self.name!r} has no emoji {code}; leave the style or the concept out")
        window = self._window(code)
        scale = pixels / max(window[2:])
        return self._draw(code, (max(1, round(window[2] * scale)), max(1, round(window[3] * scale))), window)

    def _draw(self, code: str, size: tuple[int, int], window: Window | None = None) -> Image.Image:
        try:
            png = resvg_py.svg_to_bytes(svg_string=self._svg(code, size, window), skip_system_fonts=True)
        except ValueError as error:
            raise UserError(
                f"art style {self.name!r}: cannot draw emoji {code} ({error}); leave the concept out"
            ) from error
        return Image.open(io.BytesIO(png)).convert("RGBA")
