"""How pretrained weights lie inside the packages that carry them: one module a format, found by its name.

Its function ``read`` takes an archive and returns a :class:`compactvl.vision.converted.Converted`: float32 tensors under the
names of the model that loads them, complete and checked by shape. What a package's own file says is never trusted to be whole.
"""
