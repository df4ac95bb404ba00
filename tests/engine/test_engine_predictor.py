"""Prediction in memory, of DICOM, and in other formats: always the old stock's masks."""

from __future__ import annotations

import textwrap
import zipfile
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data" / "models_v1"
HEAD = """
import contextlib, io, sys, threading
from pathlib import Path
import numpy as np
import SimpleITK as sitk
import nnplug
from nnplug.errors import NnplugError
data, folder, root = Path({data!r}), {folder!r}, Path({root!r})
def voxels(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
def image(name):
    return sitk.ReadImage(str(data / "images" / f"{{name}}_0000.nii.gz"))
def stock(name):
    return voxels(data / "predicted" / f"{{name}}.nii.gz")
"""


@pytest.fixture
def head(tmp_path: Path) -> str:
    """The beginning of a script, with the old hippocampus model unpacked."""
    data = DATA / "hippocampus"
    if not data.is_dir():
        pytest.skip(f"{data} is absent")
    with zipfile.ZipFile(DATA / "hippocampus.zip") as archive:
        archive.extractall(tmp_path / "nnUNet_trained_models" / "nnUNet")
    model = "3d_fullres/Task504_Hippocampus/nnUNetTrainerV2__nnUNetPlansv2.1"
    return HEAD.format(data=str(data), folder=model, root=str(tmp_path))


@pytest.mark.slow
def test_threads_share_a_predictor(head, tmp_path, run_python):
    code = head + textwrap.dedent(
        """
        names = [f"hippocampus_{n}" for n in (380, 381, 385)]
        found = {}
        with nnplug.Predictor(folder, device="cpu", root=root) as predictor:
            def work(name):
                sys.stdout.write(f"heard {name}\\n")
                found[name] = predictor.predict(image(name), softmax=True)
            threads = [threading.Thread(target=work, args=(name,)) for name in names]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            one = image(names[0])
            array = predictor.predict(sitk.GetArrayFromImage(one)[None], one.GetSpacing()[::-1])
            print("ARRAY", (array.array != stock(names[0])).sum(), array.softmax)
            for wrong in ([one, one], [one[:, :, 3]], sitk.GetArrayFromImage(one)[None],
                          [one * float("nan")]):
                try:
                    predictor.predict(wrong)
                except NnplugError as error:
                    print("REFUSED", type(error).__name__)
        for name in names:
            softmax = np.load(data / "softmax" / f"{name}.npz")["softmax"]
            off = np.abs(found[name].softmax - softmax).max()
            same = found[name].mask.GetOrigin() == image(name).GetOrigin()
            print("CASE", (found[name].array != stock(name)).sum(), off < 5e-4, same)
        try:
            predictor.predict(one)
        except NnplugError as error:
            print("CLOSED", "closed" in str(error))
        try:
            nnplug.Predictor(folder, device="cpu", root=root / "other")
        except NnplugError as error:
            print("OTHER", "serves one root" in str(error))
        """
    )
    lines = run_python(code, tmp_path).splitlines()
    assert sorted(line for line in lines if line.startswith("heard"))[0].endswith("380")
    assert [line for line in lines if line.startswith("CASE")] == ["CASE 0 True True"] * 3
    assert "ARRAY 0 None" in lines
    assert lines.count("REFUSED DataError") == 4
    assert lines[-2:] == ["CLOSED True", "OTHER True"]


@pytest.mark.slow
def test_dicom_goes_in_and_comes_out(head, tmp_path, run_python):
    """The image as DICOM slices with other axes; the mask is on the slices, in three formats."""
    code = head + textwrap.dedent(
        """
        import highdicom, pydicom
        from pydicom.uid import generate_uid
        name = "hippocampus_380"
        one = sitk.Cast(sitk.Round(image(name)), sitk.sitkInt16)
        turned = sitk.DICOMOrient(one, "LPS")
        values = sitk.GetArrayFromImage(turned)
        code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(one.GetDirection())
        orient = "RAS" if code == "LPS" else code
        if code == "LPS":
            one = sitk.DICOMOrient(one, orient)
        study, series, frame = generate_uid(), generate_uid(), generate_uid()
        source = root / "source" / "P1"
        source.mkdir(parents=True)
        for number in range(turned.GetDepth()):
            slice = pydicom.Dataset()
            slice.file_meta = meta = pydicom.dataset.FileMetaDataset()
            meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            slice.SOPClassUID = meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
            slice.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
            slice.StudyInstanceUID, slice.SeriesInstanceUID = study, series
            slice.FrameOfReferenceUID, slice.Modality, slice.PatientID = frame, "MR", "P1"
            position = turned.TransformIndexToPhysicalPoint((0, 0, number))
            slice.ImagePositionPatient = [f"{v:.8g}" for v in position]
            slice.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            slice.PixelSpacing = [1, 1]
            slice.Rows, slice.Columns = values.shape[1:]
            slice.SamplesPerPixel, slice.PhotometricInterpretation = 1, "MONOCHROME2"
            slice.BitsAllocated = slice.BitsStored = 16
            slice.HighBit, slice.PixelRepresentation = 15, 1
            slice.PixelData = values[number].tobytes()
            slice.save_as(source / f"{number}.dcm", enforce_file_format=True)
        common = [f"model={folder}", f"paths.root={root}", "device=cpu", "workers=1",
                  f"input={root / 'source'}", "dataset.name=Hippocampus", "dataset.task_id=504",
                  "dataset.channels={0: MRI}", "dataset.labels={background: 0, front: 1, back: 2}",
                  "converter=dicom", f"convert.orient={orient}"]
        (result,) = nnplug.predict([*common, f"output={root / 'nifti'}"])
        (seg,) = nnplug.predict([*common, f"output={root / 'seg'}", "format=dicom_seg"])
        (contours,) = nnplug.predict([*common, f"output={root / 'rt'}", "format=rtstruct"])
        with nnplug.Predictor(folder, device="cpu", root=root) as predictor:
            wanted = sitk.DICOMOrient(predictor.predict(one).mask, "LPS")
        mask = sitk.ReadImage(str(result.mask))
        got = voxels(result.mask)
        print("MASK", result.mask.name, (got != sitk.GetArrayFromImage(wanted)).sum(), got.any())
        print("GRID", np.allclose(mask.GetOrigin(), turned.GetOrigin(), atol=1e-4),
              mask.GetDirection() == turned.GetDirection())
        written = highdicom.seg.segread(seg.mask)
        print("SEG", list(written.segment_numbers), [s.segment_label for s in
              map(written.get_segment_description, written.segment_numbers)],
              written.StudyInstanceUID == study)
        rois = pydicom.dcmread(contours.mask)
        print("ROIS", contours.mask.name, [r.ROIName for r in rois.StructureSetROISequence],
              rois.StudyInstanceUID == study, rois.FrameOfReferenceUID == frame)
        volume = written.get_volume(combine_segments=True)
        print("VOXELS", [int((volume.array == n).sum() - (got == n).sum())
                         for n in (1, 2)])
        """
    )
    lines = run_python(code, tmp_path, strict=False, NNPLUG_CACHE="off").splitlines()
    assert lines == [
        "MASK P1.nii.gz 0 True",
        "GRID True True",
        "SEG [1, 2] ['front', 'back'] True",
        "ROIS P1.rtstruct.dcm ['front', 'back'] True True",
        "VOXELS [0, 0]",
    ]


@pytest.mark.slow
def test_options_of_the_output(head, tmp_path, run_python):
    code = head + textwrap.dedent(
        """
        name = "hippocampus_380"
        file = data / "images" / f"{name}_0000.nii.gz"
        wide = image(name)
        wide.SetSpacing((1, 1, 4))
        sitk.WriteImage(wide, str(root / "wide.nii.gz"))
        common = [f"model={folder}", f"paths.root={root}", "device=cpu", "workers=1"]
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            results = nnplug.predict([*common, f"input=[{file},{root / 'wide.nii.gz'}]",
                                      f"output={root / 'a'}", "uncertainty=true", "format=mha",
                                      "postprocess=[{minimum_volume: {mm3: 1e5}}]"])
        print([r.mask.name for r in results], [int(voxels(r.mask).max()) for r in results])
        print("case wide: its spacing is unlike that of the training cases: "
              "z 4 mm (training: 1 to 1)" in said.getvalue(), said.getvalue().count("unlike"))
        softmax = np.load(data / "softmax" / f"{name}.npz")["softmax"].astype(float)
        from scipy.stats import entropy
        wanted = entropy(softmax, axis=0) / np.log(len(softmax))
        got = voxels(root / "a" / f"{name}_entropy.nii.gz")
        print(got.dtype, np.abs(got - wanted).max() < 1e-3, got.max() > 0.3)
        try:
            nnplug.predict([*common, f"input={file}", f"output={root / 'b'}",
                            "postprocess=[{keep: {values: [1]}}]"])
        except NnplugError as error:
            print(error)
        print(nnplug.predict([*common, f"input=[{file}]", f"output={root / 'a'}", "format=mha"]))
        """
    )
    lines = run_python(code, tmp_path, strict=False).splitlines()
    assert lines[0] == "['hippocampus_380.mha', 'wide.mha'] [0, 0]"
    assert lines[1] == "True 1"
    assert lines[2] == "float32 True True"
    assert lines[3].startswith("postprocess[0].keep: this remapper works on label values")
