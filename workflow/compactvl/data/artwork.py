"""Emoji artwork: SVG bodies of an Iconify package → RGBA pixels at the size they are used.

An icon is cropped to what it draws: the same "big" is the same number of pixels in every art style, whatever margin
its designers left. Rasterised at the target size by resvg; nothing is resampled.
"""

import io
import json
from functools import cache
from pathlib import Path

import resvg_py
from PIL import Image

from compactvl.data.emoji import code_of
from compactvl.data.members import read_member
from compactvl.errors import UserError

PROBE_PIXELS = 96
FRAME = {"left": 0, "top": 0, "width": 16, "height": 16}
"""Iconify's frame of a drawing where neither the icon nor its set gives another."""
Window = tuple[float, float, float, float]  # left, top, width, height in the drawing's own units


class Artwork:
    """One art style, from its Iconify npm package.

    Raises:
        UserError: the archive is missing, damaged, or no icon set.
    """

    def __init__(self, name: str, archive: Path) -> None:
        self.name = name
        self._drawings: dict[str, tuple[str, Window]] = {}
        try:
            body = json.loads(read_member(archive, "package/icons.json"))
            characters = json.loads(read_member(archive, "package/chars.json"))
            icons, aliases = body["icons"], body.get("aliases", {})
            for code, icon in {code_of(code): icon for code, icon in characters.items()}.items():
                while icon in aliases and icon not in icons:
                    icon = aliases[icon]["parent"]
                if icon in icons:
                    frame = tuple(icons[icon].get(part, body.get(part, least)) for part, least in FRAME.items())
                    self._drawings[code] = (icons[icon]["body"], frame)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{archive} is not an Iconify icon set ({error!r}); check the source {name!r}") from error
        self._raster, self._window = cache(self._rasterise), cache(self._tight_window)

    def __contains__(self, code: str) -> bool:
        return code in self._drawings

    def raster(self, code: str, pixels: int) -> Image.Image:
        """Return an emoji as an RGBA image whose longer side is ``pixels``, cropped to what is drawn.

        The same object is returned each time: do not change it.

        Raises:
            UserError: the style lacks the emoji, or its drawing cannot be rasterised.
        """
        return self._raster(code, pixels)

    def _rasterise(self, code: str, pixels: int) -> Image.Image:
        if code not in self:
            raise UserError(f"art style {self.name!r} has no emoji {code}; leave the style or the concept out")
        window = self._window(code)
        scale = pixels / max(window[2:])
        return self._draw(code, window, max(1, round(window[2] * scale)), max(1, round(window[3] * scale)))

    def _tight_window(self, code: str) -> Window:
        """Return the part of the drawing's plane that has ink."""
        left, top, width, height = frame = self._drawings[code][1]
        probe = self._draw(code, frame, PROBE_PIXELS, round(PROBE_PIXELS * height / width))
        box = probe.getchannel("A").point(lambda a: 255 if a > 12 else 0).getbbox()
        if box is None:
            raise UserError(f"art style {self.name!r} draws nothing for emoji {code}; leave the concept out")
        scale = width / PROBE_PIXELS
        return left + box[0] * scale, top + box[1] * scale, (box[2] - box[0]) * scale, (box[3] - box[1]) * scale

    def _draw(self, code: str, window: Window, width: int, height: int) -> Image.Image:
        size = f'width="{width}" height="{height}" viewBox="{" ".join(map(str, window))}"'
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{self._drawings[code][0]}</svg>'
        try:
            png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)
        except ValueError as error:
            raise UserError(
                f"art style {self.name!r}: cannot draw emoji {code} ({error}); leave the concept out"
            ) from error
        return Image.open(io.BytesIO(png)).convert("RGBA")
