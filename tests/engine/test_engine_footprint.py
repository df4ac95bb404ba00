"""Memory of preprocessing: as much as nnU-Net's functions take, by what the kernel counts."""

from __future__ import annotations

import shutil
import sys

import numpy as np
import pytest

from nnplug.config import resources
from nnplug.engine import footprint

MEASURE = """
import os
import numpy as np
import SimpleITK as sitk
from engine_job import *
enter()
from nnunet.preprocessing.cropping import ImageCropper
from nnunet.preprocessing.preprocessing import GenericPreprocessor
folder = os.environ["ENGINE_RESULTS"]
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
def forked(function, *args):
    if os.fork() == 0:
        function(*args)
        os._exit(0)
    assert os.wait()[1] == 0
def measured(function, *args):
    open("/proc/self/clear_refs", "w").write("5")
    before = peak()
    with environment.quiet(None):
        function(*args)
    print(peak() - before, flush=True)
def write(names, shape, spacing):
    values = np.random.default_rng(0).normal(300, 50, shape).astype(np.float32)
    for name in names:
        values = (values > 330).astype(np.uint8) if name == names[-1] else values
        image = sitk.GetImageFromArray(values)
        image.SetSpacing(spacing[::-1])
        sitk.WriteImage(image, name)
def work(call, case, shape, spacing, target, channels):
    names = [f"{folder}/{case}_000{n}.nii.gz" for n in range(channels)]
    names.append(f"{folder}/{case}.nii.gz")
    forked(write, names, shape, spacing)
    every = dict.fromkeys(range(channels), "nonCT"), dict.fromkeys(range(channels), False)
    made = GenericPreprocessor(*every, [0, 1, 2])
    call(measured, ImageCropper(1, folder).load_crop_save, names, case)
    call(measured, made._run_internal, target, case, folder, folder, None, [1])
work(lambda function, *args: function(*args), "tiny", *TINY)  # imports the rest
for number, given in enumerate(CASES):
    work(forked, f"c{number}", *given)
"""
TINY = ((20, 20, 20), (5.0, 1.0, 1.0), (4.0, 0.8, 0.8), 1)
CASES = [
    ((100, 110, 100), (1.0, 1.0, 1.0), (0.8, 0.8, 0.8), 1),
    ((80, 100, 100), (1.0, 1.0, 1.0), (0.9, 0.9, 0.9), 3),
    ((50, 140, 140), (5.0, 1.0, 1.0), (4.0, 0.8, 0.8), 2),
]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_a_case_takes_what_is_expected(tmp_path, run_python):
    """Never more, and not much less."""
    code = MEASURE.replace("CASES", repr(CASES)).replace("TINY", repr(TINY))
    peaks = iter(map(int, run_python(code, tmp_path, results=tmp_path).split()[2:]))
    for shape, spacing, target, channels in CASES:
        before = int(np.prod(shape))
        after = int(np.prod(np.round(np.array(spacing) / target * np.array(shape))))
        assert 0.6 < next(peaks) / footprint.to_crop(before, channels) < 1.05
        expected = footprint.to_resample(before, after, channels, separate=spacing[0] > 3)
        assert 0.6 < next(peaks) / expected < 1.05


def test_as_many_at_once_as_the_largest_leave_room_for(monkeypatch):
    monkeypatch.setattr(resources, "memory", lambda: 100)
    notes: list[str] = []
    needs = {"a": 30, "b": 44, "c": 40}
    assert footprint.at_once(needs, 8, "cropped", notes.append) == 2
    assert notes == ["memory suffices for 2 of the largest cases to be cropped at once, not 8"]
    assert footprint.at_once({"a": 30, "b": 30}, 8, "cropped", notes.append) == 8
    assert footprint.at_once({}, 8, "cropped", notes.append) == 8
    assert len(notes) == 1
    assert footprint.at_once({**needs, "d": 91}, 2, "resampled", notes.append) == 1
    assert "case d needs about" in notes[1]
    assert "may be killed" in notes[1]


def test_planning_takes_fewer_processes(planned, tmp_path, run_python):
    shutil.copytree(planned, tmp_path / "root")
    code = """
    from engine_job import *
    from nnplug.config import resources
    from nnplug.engine import planning, pools
    f, device = enter()
    sizes, start = [], pools.Pool.__init__
    def counted(self, *args, **kwargs):
        sizes.append(args[0])
        start(self, *args, **kwargs)
    pools.Pool.__init__ = counted
    free = {"least": 40 << 20, "some": 140 << 20, "enough": 1 << 40}
    for name, memory in free.items():
        resources.memory = lambda: memory
        notes, sizes[:] = [], []
        planning.prepare(f, TASK, "2d", 4, log=None, on_note=notes.append)
        named = [case for case in ("c0", "c5") if any(f"case {case} needs" in n for n in notes)]
        print(name, sorted(set(sizes)), named, any("memory suffices for" in n for n in notes))
        print(planning.is_planned(f, TASK, "2d"))
    """
    assert run_python(code, tmp_path / "root").splitlines() == [
        "least [1] ['c0', 'c5'] True",
        "True",
        "some [2] [] True",
        "True",
        "enough [4] [] False",
        "True",
    ]
