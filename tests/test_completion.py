"""Tab completion: verbs by nnplug, what follows them by Hydra."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from nnplug.cli import PLAIN_VERBS, VERBS

Command = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nnplug ", [*VERBS, *PLAIN_VERBS]),
        ("nnplug p", ["plan", "predict", "plugins"]),
        ("nnplug train", ["train"]),
        ("nnplug xyz", []),
        ("nnplug train dataset=h", ["dataset=hippocampus"]),
        ("nnplug convert dataset=hippocampus conv", ["convert.", "converter.", "converter="]),
        ("nnplug train trainer.epo", ["trainer.epochs="]),
        ("nnplug predict step", ["step_size="]),
        ("nnplug evaluate ref", ["reference="]),
    ],
)
def test_a_line_is_completed(
    command: Command, monkeypatch: pytest.MonkeyPatch, line: str, words: list[str]
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    code, out, err = command("-sc", "query=bash")
    assert (code, err) == (0, "")
    assert sorted(out.split()) == sorted(words)


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_the_shells_function_asks_nnplug(command: Command, shell: str) -> None:
    code, out, _ = command("-sc", f"install={shell}")
    assert code == 0
    assert "nnplug" in out
    assert "query=" in out
