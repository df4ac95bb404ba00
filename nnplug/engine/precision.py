"""Mixed precision on a CPU, which stock nnU-Net has on CUDA only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnplug.errors import ConfigError


def use_bfloat16(trainer: Any) -> None:
    """Let this instance train in bfloat16 autocast, with weights and loss in float32.

    Convolutions in half precision are faster with channels last only. Predictions of the
    validation stay as they are.

    Raises:
        ConfigError: a data-parallel trainer, whose network computes the loss too, or a
            distributed one, whose gradients lie where its parameters first lay.
    """
    from nnunet.training.network_training.nnUNetTrainerV2_DDP import nnUNetTrainerV2_DDP
    from nnunet.training.network_training.nnUNetTrainerV2_DP import nnUNetTrainerV2_DP

    if isinstance(trainer, nnUNetTrainerV2_DP | nnUNetTrainerV2_DDP):
        raise ConfigError(
            f"{type(trainer).__name__} can't train in mixed precision on a CPU",
            where="precision",
            hint="precision=auto",
        )
    _Autocast(trainer)


def predict_in_float16(trainer: Any) -> None:
    """Let this instance predict in float16 autocast, as stock nnU-Net does on CUDA.

    bfloat16 would be faster still, but it has 3 bits less: masks differ where float16's don't.

    Raises:
        ConfigError: the CPU doesn't compute in float16.
    """
    import torch

    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (onednn and torch.ops.mkldnn._is_mkldnn_fp16_supported()):
        raise ConfigError(
            "this CPU can't predict in mixed precision: it doesn't compute in float16",
            where="precision",
            hint="precision=auto",
        )
    network = trainer.network
    network.to(memory_format=_layout(trainer))
    network.forward = _autocast(network.forward, torch.float16, _layout(trainer))


def _layout(trainer: Any) -> Any:
    import torch

    return torch.channels_last_3d if trainer.threeD else torch.channels_last


def _autocast(forward: Callable[[Any], Any], kind: Any, layout: Any) -> Callable[[Any], Any]:
    """``forward`` in that type, with float32 going in and coming out."""
    import torch

    def infer(data: Any) -> Any:
        with torch.autocast("cpu", kind):
            output = forward(data.to(memory_format=layout))
        if isinstance(output, list | tuple):
            return [one.float() for one in output]
        return output.float()

    return infer


class _Autocast:
    """Stands in for the trainer's ``run_iteration`` and its network's ``forward``."""

    def __init__(self, trainer: Any) -> None:
        import torch

        network = trainer.network
        self.iterating = False
        self.run_iteration, self.forward = trainer.run_iteration, network.forward
        self.fast = _autocast(network.forward, torch.bfloat16, _layout(trainer))
        network.to(memory_format=_layout(trainer))
        trainer.run_iteration, network.forward = self.iterate, self.infer

    def iterate(self, *args: Any, **kwargs: Any) -> Any:
        self.iterating = True
        try:
            return self.run_iteration(*args, **kwargs)
        finally:
            self.iterating = False

    def infer(self, data: Any) -> Any:
        return (self.fast if self.iterating else self.forward)(data)
