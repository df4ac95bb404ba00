"""nnplug: a plugin framework around the trainers of nnU-Net v1.

The verbs are functions (``nnplug.train(["dataset=mine"])``), and :class:`nnplug.Predictor`
segments images in memory. They are imported when they are first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_VERBS = (
    *(
        "convert",
        "check",
        "plan",
        "train",
        "train_steps",
        "best",
        "predict",
        "evaluate",
        "scan",
        "trainers",
    ),
    *("bundle_export", "bundle_import", "bundle_list"),
)
_HOMES = {**dict.fromkeys(_VERBS, "api"), "Predictor": "predictor", "Prediction": "predictor"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
