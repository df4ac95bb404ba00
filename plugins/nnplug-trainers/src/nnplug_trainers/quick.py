"""A short training schedule for nnU-Net v1: a good baseline on a CPU in minutes.

`nnUNetTrainerV2_Quick` keeps nnU-Net's plans, network, loss, sampling, life cycle and
checkpoints, and changes how the few available steps are spent: Muon and AdamW with warm-up and
cosine decay, an exponential moving average of the weights, smaller patches, bfloat16 with
channels last on the CPU, and cheap augmentation of the whole batch. See docs/quick.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from batchgenerators.dataloading.multi_threaded_augmenter import MultiThreadedAugmenter
from nnunet.training.network_training.nnUNetTrainerV2 import nnUNetTrainerV2
from torch import Tensor, nn

from nnplug_trainers.augmentation import Augmenter
from nnplug_trainers.ema import RunState, WeightAverage
from nnplug_trainers.muon import MuonAdamW
from nnplug_trainers.options import QuickOptions
from nnplug_trainers.patch import capped


def learning_rate(step: int, total: int, peak: float, warmup: float) -> float:
    """Rate of step `step` of `total`: linear rise to `peak`, then a half cosine to zero.

    `warmup` is the rising fraction of `total` (Loshchilov and Hutter 2017, SGDR, without
    restarts). Steps beyond `total` get zero.
    """
    rise = warmup * total
    if step < rise:
        return peak * (step + 1) / (math.ceil(rise) + 1)
    progress = min(1.0, (step - rise) / max(total - rise, 1))
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


class Batches(Iterator[dict[str, Any]]):
    """Batches of a loader, moved to `device` and passed through `transform`.

    The keys `data` (b, c, [z,] y, x) and `target` (one label tensor per network output) are
    what nnU-Net's loop expects. `source` yields nnU-Net's `data` and `seg` arrays.
    """

    def __init__(
        self,
        source: Iterator[dict[str, Any]],
        transform: Callable[[Tensor, Tensor], tuple[Tensor, list[Tensor]]],
        device: torch.device,
    ) -> None:
        self.source = source
        self.transform = transform
        self.device = device

    def __next__(self) -> dict[str, Any]:
        batch = next(self.source)
        data, seg = (
            torch.from_numpy(np.asarray(batch[key], dtype=np.float32)).to(self.device)
            for key in ("data", "seg")
        )
        data, target = self.transform(data, seg[:, :1])
        return {"data": data, "target": target}

    def next(self) -> dict[str, Any]:
        """nnU-Net's loop calls this name too."""
        return self.__next__()


class nnUNetTrainerV2_Quick(nnUNetTrainerV2):  # type: ignore[misc]  # noqa: N801
    """nnU-Net's V2 trainer on a short schedule; set `options` before `initialize()`."""

    options = QuickOptions()
    data_aug_params: dict[str, Any]
    patch_size: Any

    def __init__(
        self,
        plans_file: Any,
        fold: Any,
        output_folder: Any = None,
        dataset_directory: Any = None,
        batch_dice: bool = True,
        stage: Any = None,
        unpack_data: bool = True,
        deterministic: bool = True,
        fp16: bool = False,
    ) -> None:
        """See nnUNetTrainerV2; the arguments are the same."""
        super().__init__(
            plans_file,
            fold,
            output_folder,
            dataset_directory,
            batch_dice,
            stage,
            unpack_data,
            deterministic,
            fp16,
        )
        self.max_num_epochs = 12
        self.num_batches_per_epoch = 200
        self.num_val_batches_per_epoch = 10
        self.initial_lr = 5e-3

    def process_plans(self, plans: Any) -> None:
        """nnU-Net's plans, with the patch capped at `options.patch_voxels`."""
        super().process_plans(plans)
        self.patch_size = capped(
            self.patch_size, self.net_num_pool_op_kernel_sizes, self.options.patch_voxels
        )

    def setup_DA_params(self) -> None:  # noqa: N802
        """nnU-Net's augmentation settings, in a copy of its shared dictionary."""
        super().setup_DA_params()
        self.data_aug_params = {
            **self.data_aug_params,
            "do_mirror": self.options.mirror,
            "p_rot": self.options.spatial,
            "p_scale": self.options.spatial,
        }

    def initialize(self, training: bool = True, force_load_plans: bool = False) -> None:
        """As nnU-Net's, with batches loaded and augmented here instead of by its workers.

        On a CPU batches are loaded in this process, which leaves both cores to the network;
        on a GPU by nnU-Net's number of background processes. Augmentation runs on the device.
        """
        if self.was_initialized:
            return
        super().initialize(training, force_load_plans)
        if training:
            device = self._device()
            augmenter = Augmenter(
                self.patch_size,
                self.data_aug_params,
                self.deep_supervision_scales,
                intensity=self.options.intensity,
            )
            sources = [self.dl_tr, self.dl_val]
            if device.type == "cuda":
                workers = self.data_aug_params["num_threads"]
                counts = (workers, max(1, workers // 2))
                sources = [
                    MultiThreadedAugmenter(loader, None, count)
                    for loader, count in zip(sources, counts, strict=True)
                ]
            self.tr_gen = Batches(sources[0], augmenter.train, device)
            self.val_gen = Batches(sources[1], augmenter.plain, device)

    def initialize_network(self) -> None:
        """nnU-Net's network, with weights laid out channels last on a CPU."""
        super().initialize_network()
        if self._device().type == "cpu":
            self.network.to(memory_format=self._layout())

    def initialize_optimizer_and_scheduler(self) -> None:
        """Muon and AdamW; the run's state takes the scheduler's place."""
        heads = {id(p) for p in self.network.seg_outputs.parameters()}
        weights = list(self.network.parameters())
        kernels = [p for p in weights if p.ndim > 2 and id(p) not in heads]
        kernel_ids = {id(p) for p in kernels}
        rest = [p for p in weights if id(p) not in kernel_ids]
        decay = self.options.weight_decay
        self.optimizer = MuonAdamW(
            kernels,
            [
                {"params": [p for p in rest if p.ndim > 1], "weight_decay": decay},
                {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=self.initial_lr,
            weight_decay=decay,
            dtype=torch.bfloat16 if self.options.bf16 else torch.float32,
        )
        self.average = WeightAverage(self.network, self.options.ema)
        self.lr_scheduler = RunState(self.average, asdict(self.options))

    def maybe_update_lr(self, epoch: int | None = None) -> None:
        """Set the rate for the next step; `epoch` is ignored, the step count decides."""
        total = self.max_num_epochs * self.num_batches_per_epoch
        rate = learning_rate(self.lr_scheduler.step, total, self.initial_lr, self.options.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def run_iteration(
        self, data_generator: Any, do_backprop: bool = True, run_online_evaluation: bool = False
    ) -> Any:
        """One training step, or one batch of online validation with the averaged weights."""
        batch = next(data_generator)
        data, target = batch["data"], batch["target"]
        if data.device.type == "cpu":
            data = data.to(memory_format=self._layout())
        if not do_backprop:
            with self.average.applied(), torch.no_grad():
                output, loss = self._forward(data, target)
        else:
            self.maybe_update_lr()
            output, loss = self._train_step(data, target)
            self.average.update(self.lr_scheduler.step)
            self.lr_scheduler.step += 1
        if run_online_evaluation:
            self.run_online_evaluation(output, target)
        return loss.detach().cpu().numpy()

    def _forward(self, data: Tensor, target: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        on_cpu = data.device.type == "cpu"
        mixed = self.options.bf16 if on_cpu else self.fp16
        dtype = torch.bfloat16 if on_cpu else torch.float16
        with torch.autocast(data.device.type, dtype) if mixed else nullcontext():
            output = self.network(data)
        output = [o.float() for o in output]
        return output, self.loss(output, target)

    def _train_step(self, data: Tensor, target: list[Tensor]) -> tuple[list[Tensor], Tensor]:
        scaler = self.amp_grad_scaler if data.device.type == "cuda" else None
        self.optimizer.zero_grad()
        output, loss = self._forward(data, target)
        (loss if scaler is None else scaler.scale(loss)).backward()
        if scaler is not None:
            scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), 12)
        if scaler is None:
            self.optimizer.step()
        else:
            scaler.step(self.optimizer)
            scaler.update()
        return output, loss

    def run_training(self) -> None:
        """Train; afterwards the network holds the averaged weights, as its checkpoint does."""
        if self.lr_scheduler.step == 0:
            self.average.load()
        super().run_training()
        self.average.put(self.average.average)

    def plot_progress(self) -> None:
        """Draw progress.png every fifth epoch and at the end only: it takes half a second."""
        if self.epoch % 5 == 4 or self.epoch + 1 >= self.max_num_epochs:
            super().plot_progress()

    def save_checkpoint(self, fname: str, save_optimizer: bool = True) -> None:
        """Save with the averaged weights as `state_dict`; see `RunState` for the others."""
        with self.average.applied() as raw:
            self.lr_scheduler.raw = raw
            super().save_checkpoint(fname, save_optimizer)
        self.lr_scheduler.raw = None

    def load_checkpoint_ram(self, checkpoint: Any, train: bool = True) -> None:
        """Restore; for prediction (`train` false) mirroring follows what was trained."""
        super().load_checkpoint_ram(checkpoint, train)
        state = checkpoint.get("lr_scheduler_state_dict")
        if not train and state is not None:
            self.options = QuickOptions(**state["options"])
            self.data_aug_params["do_mirror"] = self.options.mirror

    def validate(self, do_mirroring: bool = True, *args: Any, **kwargs: Any) -> Any:
        """As nnU-Net's; `do_mirroring` has no effect if mirroring was not trained."""
        mirror = do_mirroring and self.data_aug_params["do_mirror"]
        return super().validate(mirror, *args, **kwargs)

    def predict_preprocessed_data_return_seg_and_softmax(
        self,
        data: Any,
        do_mirroring: bool = True,
        mirror_axes: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """As nnU-Net's, for `data` (c, z, y, x); mirroring as in `validate`."""
        mirror = do_mirroring and self.data_aug_params["do_mirror"]
        return super().predict_preprocessed_data_return_seg_and_softmax(
            data, mirror, mirror_axes if mirror else (), *args, **kwargs
        )

    def _device(self) -> torch.device:
        device: torch.device = next(self.network.parameters()).device
        return device

    def _layout(self) -> torch.memory_format:
        return torch.channels_last_3d if self.threeD else torch.channels_last
