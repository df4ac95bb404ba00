"""Event files, written with TensorBoard's own writer; no torch, no TensorFlow."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from nnplug.runs import RunInfo
from nnplug_tensorboard.options import TensorboardOptions

RGB = 3


class TensorboardTracker:
    """Scalars by epoch, pictures, and the configuration as text."""

    def __init__(self, options: TensorboardOptions) -> None:
        self.options = options
        self.folder = Path()
        self.config = ""
        self.writer: Any = None
        self.epoch = 0

    def open(self, run: RunInfo) -> None:
        chosen = self.options.folder
        self.folder = run.folder / "tensorboard" if chosen is None else chosen / run.name
        self.config = json.dumps(run.config, indent=2, default=str)

    def log(
        self, epoch: int, time: float, values: Mapping[str, float], pictures: Mapping[str, Path]
    ) -> None:
        if self.writer is None or epoch <= self.epoch:
            self._begin(epoch, time)
        self.epoch = epoch
        self._write(time, [*_scalars(values), *(_picture(*item) for item in pictures.items())])

    def close(self, status: str, values: Mapping[str, float]) -> None:
        if self.writer is None:
            self.writer = EventFileWriter(str(self.folder))
        self._write(time.time(), [*_scalars(values), _text("status", status)])
        self.writer.close()
        self.writer = None

    def _begin(self, epoch: int, time: float) -> None:
        """A file that makes readers forget this epoch and those after it, if they were there."""
        if self.writer is not None:
            self.writer.close()
        self.writer = EventFileWriter(str(self.folder))
        start = SessionLog(status=SessionLog.START)
        self.writer.add_event(Event(wall_time=time, step=epoch, session_log=start))
        self.epoch = epoch
        self._write(time, [_text("config", f"```\n{self.config}\n```")])

    def _write(self, time: float, values: Sequence[Summary.Value]) -> None:
        self.writer.add_event(Event(wall_time=time, step=self.epoch, summary=Summary(value=values)))
        self.writer.flush()


def _scalars(values: Mapping[str, float]) -> list[Summary.Value]:
    return [
        Summary.Value(tag=name.replace(".", "/"), simple_value=value)
        for name, value in values.items()
    ]


def _picture(name: str, path: Path) -> Summary.Value:
    png = path.read_bytes()
    # PNG: the header chunk begins after 16 bytes, with width and height.
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    image = Summary.Image(width=width, height=height, colorspace=RGB, encoded_image_string=png)
    return Summary.Value(tag=name, image=image)


def _text(name: str, text: str) -> Summary.Value:
    one = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, tensor_shape=one, string_val=[text.encode()])
    about = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text"))
    return Summary.Value(tag=name, tensor=tensor, metadata=about)
