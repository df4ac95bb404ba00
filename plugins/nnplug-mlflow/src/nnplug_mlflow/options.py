"""The tracker's options; importing this loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class MlflowOptions:
    """Below ``tracking=[{mlflow: {...}}]``.

    Attributes:
        uri: of the tracking server, e.g. ``http://127.0.0.1:5000``. Name and password come from
            ``MLFLOW_TRACKING_USERNAME`` and ``MLFLOW_TRACKING_PASSWORD``, or a token from
            ``MLFLOW_TRACKING_TOKEN``: the configuration is recorded.
        experiment: of MLflow; made where it is missing.
    """

    uri: str
    experiment: str = "nnplug"

    def __post_init__(self) -> None:
        if "@" in urlsplit(self.uri).netloc:
            raise ValueError(
                "uri holds a name or password, and the configuration is recorded: set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
            )
