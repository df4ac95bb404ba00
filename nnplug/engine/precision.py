"""Mixed precision on a CPU, which stock nnU-Net has on CUDA only."""

from __future__ import annotations

from typing import Any

from nnplug.errors import ConfigError


def use_bfloat16(trainer: Any) -> None:
    """Let this instance train in bfloat16 autocast, with weights and loss in float32.

    Convolutions in bfloat16 are faster with channels last only. Predictions of the validation
    stay as they are.

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


class _Autocast:
    """Stands in for the trainer's ``run_iteration`` and its network's ``forward``."""

    def __init__(self, trainer: Any) -> None:
        import torch

        network = trainer.network
        self.torch = torch
        self.layout = torch.channels_last_3d if trainer.threeD else torch.channels_last
        self.iterating = False
        self.run_iteration, self.forward = trainer.run_iteration, network.forward
        network.to(memory_format=self.layout)
        trainer.run_iteration, network.forward = self.iterate, self.infer

    def iterate(self, *args: Any, **kwargs: Any) -> Any:
        self.iterating = True
        try:
            return self.run_iteration(*args, **kwargs)
        finally:
            self.iterating = False

    def infer(self, data: Any) -> Any:
        if not self.iterating:
            return self.forward(data)
        with self.torch.autocast("cpu", self.torch.bfloat16):
            output = self.forward(data.to(memory_format=self.layout))
        if isinstance(output, list | tuple):
            return [one.float() for one in output]
        return output.float()
