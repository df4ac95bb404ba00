"""The processes that train one model together; most often there is one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """This process's place among them.

    Attributes:
        rank: from 0; the first one writes checkpoints and speaks.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def agree(self, wanted: bool) -> bool:
        """Whether anyone wants it; all have to ask at the same point."""
        if self.size == 1:
            return wanted
        import torch
        import torch.distributed as dist

        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        answer = torch.tensor(int(wanted), device=device)
        dist.all_reduce(answer, dist.ReduceOp.MAX)
        return bool(answer.item())

    def wait(self) -> None:
        """Until all are here."""
        self.agree(False)


ALONE = Group()
current = ALONE
