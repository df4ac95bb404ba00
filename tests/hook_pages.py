"""The pages of docs/plugins/hooks, made from the hooks' signatures and docstrings.

``python tests/hook_pages.py`` writes them anew.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from nnplug import runs, types
from nnplug._registration import hooks

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "plugins" / "hooks"
PARTS = ("When", "Result", "Errors", "Example")
ORDER = (
    "Plugins are called in the order of their names; `tryfirst=True` and `trylast=True` move an "
    "implementation to the front or to the end."
)


def pages() -> dict[str, str]:
    """File name to text; ``index.md`` lists the hooks."""
    made = {f"{name}.md": _page(name, hook) for name, hook in hooks().items()}
    return {"index.md": _index(), **made}


def parts(hook: Any) -> dict[str, str]:
    """The docstring of a hook by its parts; what stands before them is its ``""``."""
    text = inspect.cleandoc(hook.__doc__)
    split = re.split(rf"^({'|'.join(PARTS)})::?\s+", text, flags=re.MULTILINE)
    found = {"": split[0].strip(), **dict(zip(split[1::2], split[2::2], strict=True))}
    found["Example"] = textwrap.dedent(" " * 4 + found["Example"]).strip()
    return found


def _index() -> str:
    rows = "".join(
        f"| [`{name}`]({name}.md) | {_plain(parts(hook)[''])} | {_plain(parts(hook)['When'])} |\n"
        for name, hook in hooks().items()
    )
    return f"# Hooks\n\n| hook | what it is for | when it is called |\n| --- | --- | --- |\n{rows}"


def _page(name: str, hook: Any) -> str:
    found = parts(hook)
    signature = str(inspect.signature(hook)).replace("'", "")
    made = f"# {name}\n\n{_marked(found[''])}\n\n```python\ndef {name}{signature}\n```\n\n"
    made += f"Since version {hook.since} of the interface."
    made += f" {ORDER}" if hook.ordered else ""
    made += f" Deprecated: {hook.deprecated}\n\n" if hook.deprecated else "\n\n"
    for part in ("When", "Result", "Errors"):
        if part in found:
            made += f"**{part}.** {_marked(found[part]).strip()}\n\n"
    made += f"## Example\n\n```python\n{found['Example']}\n```\n"
    for word in dict.fromkeys(re.findall(r"[A-Z]\w+", signature)):
        kind = getattr(types, word, getattr(runs, word, None))
        if is_dataclass(kind):
            made += f"\n## {word}\n\n{_described(kind)}\n"
    return made


def _described(kind: Any) -> str:
    """A dataclass: what it is, its signature's defaults and its attributes as a list."""
    text, _, attributes = inspect.cleandoc(kind.__doc__).partition("\nAttributes:\n")
    items = re.split(r"^(\w+(?:, \w+)*): ", textwrap.dedent(attributes), flags=re.MULTILINE)
    listed = "".join(
        f"- `{name}`: {_plain(what)}\n" for name, what in zip(items[1::2], items[2::2], strict=True)
    )
    return f"{_marked(text.strip())}\n\n{listed}".rstrip()


def _marked(text: str) -> str:
    """ReStructuredText's marks as Markdown's."""
    text = re.sub(r":\w+:`([^`]+)`", r"`\1`", text)
    return text.replace("``", "`")


def _plain(text: str) -> str:
    """The first paragraph in one line."""
    return " ".join(_marked(text).strip().split("\n\n")[0].split())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
