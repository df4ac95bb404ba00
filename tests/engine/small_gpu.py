"""``nnplug`` as if planned for a GPU so small that stock planning makes two stages."""

from __future__ import annotations

from typing import Any

from nnplug.engine import planning

_plan = planning._plan


def plan(*args: Any, **kwargs: Any) -> None:
    from nnunet.network_architecture.generic_UNet import Generic_UNet

    Generic_UNet.use_this_for_batch_size_computation_3D = 1e6
    _plan(*args, **kwargs)


planning._plan = plan

if __name__ == "__main__":
    from nnplug.cli import main

    main()
