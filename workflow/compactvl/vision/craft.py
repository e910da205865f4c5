"""CRAFT (Baek et al. 2019): VGG16-BN and a decoder that finds the characters of a text in an image.

Names and numbers of the layers are the release's, so that its weights load strictly.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CUTS = {"slice1": (0, 12), "slice2": (12, 19), "slice3": (19, 29), "slice4": (29, 39)}
"""Slice → first and last number of torchvision's ``vgg16_bn`` features, the last left out; each ends before a ReLU."""
WIDTHS = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512)


def vgg16_bn_features() -> list[nn.Module]:
    """Return the layers of VGG16 with batch norm up to its last convolution, fresh, as torchvision numbers them."""
    layers: list[nn.Module] = []
    channels = 3
    for width in WIDTHS:
        if width == "pool":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
    return layers


class Backbone(nn.Module):
    """VGG16-BN in slices, and a dilated fifth one in the place of its classifier."""

    def __init__(self) -> None:
        super().__init__()
        features = vgg16_bn_features()
        for name, (first, last) in CUTS.items():
            slice_ = nn.Sequential()
            for number in range(first, last):
                slice_.add_module(str(number), features[number])
            self.add_module(name, slice_)
        self.slice5 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
            nn.Conv2d(1024, 1024, 1),
        )


class DoubleConv(nn.Module):
    """A step of the decoder."""

    def __init__(self, given: int, skipped: int, middle: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(given + skipped, middle, 1), nn.BatchNorm2d(middle), nn.ReLU(),
            nn.Conv2d(middle, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """(B, given + skipped, H, W) → (B, out, H, W)."""
        return self.conv(x)


class Craft(nn.Module):
    """The whole detector, as released."""

    def __init__(self) -> None:
        super().__init__()
        self.basenet = Backbone()
        self.upconv1 = DoubleConv(1024, 512, 512, 256)
        self.upconv2 = DoubleConv(512, 256, 256, 128)
        self.upconv3 = DoubleConv(256, 128, 128, 64)
        self.upconv4 = DoubleConv(128, 64, 64, 32)
        self.conv_cls = nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 1), nn.ReLU(), nn.Conv2d(16, 2, 1),
        )  # fmt: skip

    def slice3(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, 512, S/8, S/8)."""
        base = self.basenet
        return base.slice3(base.slice2(base.slice1(pixels)))

    def u2(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, 128, S/8, S/8), of the decoder."""
        eighth = self.slice3(pixels)
        sixteenth = self.basenet.slice4(eighth)
        x = self.upconv1(torch.cat([self.basenet.slice5(sixteenth), sixteenth], 1))
        return self.upconv2(torch.cat([resized(x, eighth), eighth], 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, S/2, S/2, 2): how much a place is of a character, and between two."""
        base = self.basenet
        half = base.slice1(pixels)
        quarter = base.slice2(half)
        x = self.upconv3(torch.cat([resized(self.u2(pixels), quarter), quarter], 1))
        x = self.upconv4(torch.cat([resized(x, half), half], 1))
        return self.conv_cls(x).permute(0, 2, 3, 1)


def resized(x: Tensor, other: Tensor) -> Tensor:
    """Resize feature maps bilinearly to another's height and width."""
    return F.interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)


class CraftTokens(nn.Module):
    """A layer's feature map as tokens, row by row, and its mean."""

    def __init__(self, model: Craft, layer: str) -> None:
        super().__init__()
        self.model, self.layer = model.to(memory_format=torch.channels_last), layer

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (B, 3, S, S) → tokens (B, T, D), pooled (B, D)."""
        found = getattr(self.model, self.layer)(pixels.contiguous(memory_format=torch.channels_last))
        tokens = found.flatten(2).transpose(1, 2)
        return tokens, tokens.mean(1)
