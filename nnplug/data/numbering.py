"""Which case becomes which: subjects, the held-out part, and nnU-Net's identifiers."""

from __future__ import annotations

import fnmatch
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from nnplug.errors import ConfigError, SourceError
from nnplug.types import CaseSource, Split


@dataclass(frozen=True)
class Numbered:
    """A case of the source and its place in the task.

    Attributes:
        source: what the converter found.
        identifier: e.g. ``LungLobe_007``.
        subject: who was scanned.
        split: train or test.
    """

    source: CaseSource
    identifier: str
    subject: str
    split: Split


def number(
    cases: Sequence[CaseSource],
    name: str,
    *,
    subject: str | Mapping[str, str] | None = None,
    test: Iterable[str] = (),
    test_fraction: float = 0.0,
    unlabelled: bool = False,
    key: bytes | None = None,
) -> list[Numbered]:
    """Give every case its identifier: training cases first, test cases numbered on.

    The order is that of ``cases``. All cases of a subject are on the same side. With a ``key``
    the identifiers are pseudonyms instead of numbers: the first 40 bits of HMAC-SHA256 (RFC
    2104) of the case's name. They stay the same when cases are added, and without the key
    nobody can try out names. A ``test_fraction`` above 0 holds out at least one subject.

    Raises:
        ConfigError: a test pattern or a subject rule that fits no case.
        SourceError: two cases of the same name.
    """
    _refuse_repeated(cases)
    subjects = {case.name: _subject(case, subject) for case in cases}
    held_out = _held_out(cases, subjects, list(test), test_fraction, unlabelled)
    train = [case for case in cases if case.name not in held_out]
    last = [case for case in cases if case.name in held_out]
    if test_fraction > 0 and not train and not unlabelled:
        raise ConfigError(
            f"{test_fraction} of the subjects are all {len(cases)} cases: none is left to train on",
            where="dataset.test_fraction",
            hint="choose a smaller fraction",
        )
    return [
        Numbered(
            case,
            f"{name}_{index:03d}" if key is None else f"{name}_{_pseudonym(case.name, key)}",
            subjects[case.name],
            "test" if case.name in held_out else "train",
        )
        for index, case in enumerate(train + last)
    ]


def _pseudonym(case: str, key: bytes) -> str:
    return hmac.digest(key, case.encode(), "sha256").hex()[:10]


def _refuse_repeated(cases: Sequence[CaseSource]) -> None:
    counts = Counter(case.name for case in cases)
    repeated = sorted(name for name, number in counts.items() if number > 1)
    if repeated:
        raise SourceError(f"more than one case is called {', '.join(repeated[:5])}")


def _subject(case: CaseSource, rule: str | Mapping[str, str] | None) -> str:
    if rule is None:
        return case.subject or case.name
    if isinstance(rule, str):
        match = re.search(rule, case.name)
        if match is None:
            raise ConfigError(
                f"the pattern {rule!r} does not match the case {case.name!r}",
                where="dataset.subject",
                hint="write a regular expression that finds the subject in every case's name",
            )
        subject: str | None = match.group(1) if match.re.groups else match.group(0)
        if not subject:
            raise ConfigError(
                f"the pattern {rule!r} finds no subject in the case {case.name!r}",
                where="dataset.subject",
                hint="its first group, or without groups the whole match, has to be the subject",
            )
        return subject
    if case.name not in rule:
        raise ConfigError(
            f"the case {case.name!r} is missing",
            where="dataset.subject",
            hint=f"say who it belongs to: {{{case.name}: SUBJECT}}",
        )
    return rule[case.name]


def _held_out(
    cases: Sequence[CaseSource],
    subjects: Mapping[str, str],
    patterns: list[str],
    fraction: float,
    unlabelled: bool,
) -> set[str]:
    if unlabelled:
        return {case.name for case in cases}
    chosen = {case.name for case in cases if case.split == "test"}
    for pattern in patterns:
        matched = {case.name for case in cases if fnmatch.fnmatchcase(case.name, pattern)}
        if not matched:
            raise ConfigError(f"{pattern!r} fits no case of the source", where="dataset.test")
        chosen |= matched
    free = sorted({subjects[case.name] for case in cases if case.name not in chosen}, key=_rank)
    drawn = set(free[: max(1, round(fraction * len(free)))] if fraction > 0 else [])
    drawn |= {subjects[name] for name in chosen}
    return {case.name for case in cases if subjects[case.name] in drawn}


def _rank(subject: str) -> bytes:
    """A fixed shuffle: adding a subject does not reorder the others."""
    return blake2b(subject.encode(), digest_size=16).digest()
