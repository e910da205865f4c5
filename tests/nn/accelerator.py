"""An accelerator in form, for tests of where things are computed.

Its tensors are of the device :data:`DEVICE`, are computed on the CPU by the same kernels, and are as strict as a GPU's:
an operation on tensors of two devices is an error, and numpy sees none of them. torch has a device type ``lazy`` that no
backend of this installation serves, so autograd, modules and optimisers treat it as a device of its own.
"""

import contextlib
import sys
from collections.abc import Iterator
from unittest import mock

import torch
import torch._dynamo
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only

DEVICE = torch.device("lazy", 0)
INNER = {DEVICE: torch.device("cpu")}
ATEN = torch.ops.aten
BETWEEN_DEVICES = {
    ATEN._to_copy.default, ATEN.copy_.default,
    # Indices may be the CPU's.
    ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default, ATEN._index_put_impl_.default,
}  # fmt: skip


class DeviceTensor(torch.Tensor):
    """A tensor of the accelerator; ``inner`` is what it is computed with."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "DeviceTensor":
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        # A view of a tensor from outside is no inference tensor, also in inference mode.
        with torch.inference_mode(False):
            return torch.Tensor._make_wrapper_subclass(cls, inner.shape, device=DEVICE, **layout)

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def __reduce_ex__(self, protocol):
        return self.detach().inner.__reduce_ex__(protocol)

    def __repr__(self):
        return f"DeviceTensor({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


def compute(func, args, kwargs):
    """Run an operation; its result is the accelerator's where its tensors, or the device it is told, are."""
    leaves = tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    own = [tensor for tensor in tensors if isinstance(tensor, DeviceTensor)]
    # A tensor without dimensions is a number to any device.
    foreign = [tensor for tensor in tensors if not isinstance(tensor, DeviceTensor) and tensor.ndim]
    if func is ATEN._has_compatible_shallow_copy_type.default:
        return len(own) in (0, len(tensors))
    if own and foreign and func not in BETWEEN_DEVICES:
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found {DEVICE} and cpu")
    told = [leaf for leaf in leaves if isinstance(leaf, torch.device)]
    stays = told[0] == DEVICE if told else bool(own)
    if func is ATEN.copy_.default:
        stays = isinstance(args[0], DeviceTensor)
    inner = tree_map_only(DeviceTensor, lambda tensor: tensor.inner, (args, kwargs))
    inner_args, inner_kwargs = tree_map_only(torch.device, lambda device: INNER.get(device, device), inner)
    result = func(*inner_args, **inner_kwargs)
    if not stays:
        return result
    result = tree_map_only(torch.Tensor, DeviceTensor, result)
    # What is written to stays the same tensor.
    return return_and_correct_aliasing(func, args, kwargs, result) if own and func._schema.is_mutable else result


class _Mode(TorchDispatchMode):
    """Catches what makes tensors without being given one."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


@contextlib.contextmanager
def accelerator() -> Iterator[torch.device]:
    """Make the accelerator what :func:`compactvl.nn.compute.compute_device` names in every module; it knows fp32 only."""
    made_generator, made_tensor, cast = torch.Generator, torch.tensor, torch.autocast

    def generator(device: object = "cpu") -> torch.Generator:
        return made_generator("cpu")

    def tensor(data: object, device: object = None, **options: object) -> torch.Tensor:
        own = device is not None and torch.device(device) == DEVICE
        return made_tensor(data, **options).to(DEVICE) if own else made_tensor(data, device=device, **options)

    def autocast(device: str, dtype: torch.dtype = torch.bfloat16, enabled: bool = True) -> object:
        if device != DEVICE.type:
            return cast(device, dtype, enabled=enabled)
        assert not enabled, "the accelerator knows fp32 only"
        return contextlib.nullcontext()

    # What torch does in C++ for devices it knows.
    patches = [
        mock.patch("torch.Generator", generator),
        mock.patch("torch.tensor", tensor),
        mock.patch("torch.autocast", autocast),
        mock.patch("torch.optim.optimizer._get_fused_kernels_supported_devices", return_value=["cpu", DEVICE.type]),
        *(
            mock.patch.object(module, "compute_device", return_value=DEVICE)
            for name, module in list(sys.modules.items())
            if name.startswith("compactvl.") and hasattr(module, "compute_device")
        ),
    ]
    with contextlib.ExitStack() as stack:
        for context in (*patches, sdpa_kernel(SDPBackend.MATH), _Mode()):
            stack.enter_context(context)
        yield DEVICE
