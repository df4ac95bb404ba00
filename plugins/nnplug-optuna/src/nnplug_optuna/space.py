"""nnplug's search space as Optuna's distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nnplug.errors import ConfigError
from nnplug.search import Choices, Interval

Value = str | int | float


def distribution(domain: Choices | Interval) -> BaseDistribution:
    """What a key is sampled from."""
    if isinstance(domain, Choices):
        return CategoricalDistribution(domain.values)
    if domain.whole:
        low, high = int(domain.low), int(domain.high)
        return IntDistribution(low, high, log=domain.log, step=int(domain.step or 1))
    return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def grid(space: Mapping[str, Choices | Interval]) -> Iterator[dict[str, Value]]:
    """Every combination.

    Raises:
        ConfigError: a key may have any value between two.
    """
    for values in product(*(_listed(key, domain) for key, domain in space.items())):
        yield dict(zip(space, values, strict=True))


def _listed(key: str, domain: Choices | Interval) -> list[Value]:
    if isinstance(domain, Choices):
        return list(domain.values)
    step = domain.step or (1 if domain.whole else None)
    if step is None:
        raise ConfigError(
            "a grid needs values here, not an interval",
            where=key,
            hint=f"{key}=1e-3,1e-2, or range(START, STOP, STEP)",
        )
    number = int((domain.high - domain.low) / step + 1e-9) + 1
    values = [min(domain.low + index * step, domain.high) for index in range(number)]
    return [int(value) for value in values] if domain.whole else list(values)
