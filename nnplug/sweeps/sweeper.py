"""Hydra's sweeper of a search: somebody proposes jobs, the launcher runs them, and so on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins import basic_sweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from nnplug.catalog import blamed, load
from nnplug.config.load import choice_options
from nnplug.config.searching import Bounds, search_settings
from nnplug.config.settings import Choice
from nnplug.config.sweeping import check_objective, more_is_better, objectives, sweep_settings
from nnplug.console import say
from nnplug.errors import ConfigError
from nnplug.search import Choices, Interval, Outcome, Problem, Proposal, Search
from nnplug.sweeps.engines.local import at_once
from nnplug.sweeps.jobs import DONE, INTERRUPTED, PRUNED, Job, job_name
from nnplug.sweeps.launcher import JobLauncher, plain
from nnplug.whole import write_json

SEARCH = "search.json"
EXAMPLE = "trainer.initial_lr='tag(log, interval(1e-3, 1e-1))' trainer.base_num_features=8,16"


class SearchSweeper(Sweeper):
    """Runs what the search that ``sweep.search`` names proposes, some jobs at once.

    Args:
        params: what is searched, by key, as on the command line.
    """

    def __init__(self, params: Mapping[str, str] | None = None) -> None:
        self.params = params or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Hydra's."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Hydra's.

        Raises:
            ConfigError: the search can't be used, or is over something else than that in its
                folder.
            Interrupted: this process was asked to stop.
        """
        launcher = self.launcher
        if not isinstance(launcher, JobLauncher):
            raise ConfigError(
                "a search runs its jobs by nnplug itself",
                where="hydra/launcher",
                hint="leave it out; sweep.engine=... says where they run",
            )
        assert self.config is not None
        fixed, space = self._words(arguments)
        self.validate_batch_is_legal([[*fixed, *(f"{key}={_some(d)}" for key, d in space.items())]])
        values = plain(self.config)
        constraints = search_settings(values).constraints
        folder = Path(self.config.hydra.sweep.dir).expanduser().resolve()
        problem = _problem(folder, values, space, constraints, launcher.jobs.verb)
        kept = _Kept(folder / SEARCH, job_name(launcher.jobs.verb, values), problem)
        kept.compare()
        search = _begun(values, problem, launcher)
        kept.write()
        number = at_once(sweep_settings(values), launcher.jobs.slots(values))
        started = 0
        while batch := list(islice(iter(search.ask, None), number)):
            jobs = [[*fixed, *_assigned(proposal)] for proposal in batch]
            for proposal, ended in zip(batch, launcher.launch(jobs, started), strict=True):
                outcome = _outcome(ended, tuple(problem.objectives), constraints)
                if outcome is not None:
                    search.tell(proposal, outcome)
            started += len(batch)
        for best in search.best():
            say(f"best of the search: {' '.join(_assigned(best)[:-1])}")

    def _words(self, arguments: list[str]) -> tuple[list[str], dict[str, Choices | Interval]]:
        """What is the same for all jobs, as overrides, and what is searched."""
        assert self.hydra_context is not None
        given = [f"{key}={values}" for key, values in self.params.items()]
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*given, *arguments])
        last = {override.get_key_element(): override for override in overrides}
        fixed = [str(one.input_line) for one in last.values() if not one.is_sweep_override()]
        return fixed, {k: _domain(one) for k, one in last.items() if one.is_sweep_override()}


# Hydra takes sweepers from its own modules and from packages of plugins only.
SearchSweeper.__module__ = basic_sweeper.__name__
setattr(basic_sweeper, SearchSweeper.__name__, SearchSweeper)


def _domain(override: Override) -> Choices | Interval:
    """What the values that Hydra's grammar gives a key mean for a search."""
    value = override.value()
    key = override.get_key_element()
    tags = set(getattr(value, "tags", ()))
    if tags - {"log"} or (tags and not isinstance(value, IntervalSweep)):
        raise ConfigError(
            f"the tag {min(tags)!r} means nothing here",
            where=key,
            hint="log is known, for intervals: tag(log, interval(1e-3, 1e-1))",
        )
    try:
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            assert low is not None
            assert high is not None
            return Interval(low, high, whole=isinstance(low, int), log=bool(tags))
        if isinstance(value, RangeSweep):
            numbers = list(value.range())
            whole = all(isinstance(number, int) for number in numbers)
            return Interval(min(numbers), max(numbers), whole, step=abs(value.step))
    except ValueError as error:
        raise ConfigError(str(error), where=key) from error
    return Choices(tuple(dict.fromkeys(override.sweep_string_iterator())))


def _some(domain: Choices | Interval) -> str | float:
    """A value of a key."""
    if isinstance(domain, Choices):
        return domain.values[0]
    return int(domain.low) if domain.whole else domain.low


def _problem(
    folder: Path,
    values: Mapping[str, Any],
    space: Mapping[str, Choices | Interval],
    constraints: Mapping[str, Bounds],
    verb: str,
) -> Problem:
    """What is searched for; it stays the same in its folder."""
    if not space:
        raise ConfigError("what is searched?", where="-m", hint=f"e.g. {EXAMPLE}")
    if "objective" not in values:
        raise ConfigError(
            f"{verb} has no objective to search by", where="sweep/search", hint="search with train"
        )
    labels = (values.get("dataset") or {}).get("labels") or {}
    named = [name for name, value in labels.items() if value]
    check_objective(values["objective"], named)
    if constraints:
        check_objective(list(constraints), named, "sweep.search.constraints")
    goals = {name: more_is_better(name) for name in objectives(values["objective"])}
    return Problem(folder, space, goals, tuple(constraints))


class _Kept:
    """What stays the same in a folder, from one command to the next."""

    def __init__(self, path: Path, configuration: str, problem: Problem) -> None:
        self.path = path
        self.content = {
            "configuration": configuration,
            "space": {key: vars(domain) for key, domain in sorted(problem.space.items())},
            "objectives": list(problem.objectives),
        }

    def compare(self) -> None:
        """Raise a ConfigError if something else is searched there."""
        if not self.path.is_file():
            return
        found = json.loads(self.path.read_text(encoding="utf-8"))
        wanted = json.loads(json.dumps(self.content))
        different = [name for name in wanted if found.get(name) != wanted[name]]
        if different:
            raise ConfigError(
                f"the search in this folder has another {' and '.join(different)}",
                where=str(self.path.parent),
                hint="give another sweep.dir, or the same command as before",
            )

    def write(self) -> None:
        """For the next command."""
        write_json(self.path, self.content)


def _begun(values: Mapping[str, Any], problem: Problem, launcher: JobLauncher) -> Search:
    """The search that ``sweep.search`` names, in its folder."""
    shelf, wanted = launcher.jobs.catalog.searches, search_settings(values)
    entry = shelf.get(wanted.name)
    options = choice_options(Choice(wanted.name, wanted.options), shelf, "sweep.search")
    target = load(entry.spec, entry.owner)
    with blamed(entry.owner, f"the search {wanted.name!r} can't begin"):
        search: Search = target(options)
        search.open(problem)
    return search


def _assigned(proposal: Proposal) -> list[str]:
    """The overrides of a job."""
    values = [f"{key}={value}" for key, value in proposal.values.items()]
    return [*values, f"sweep.search.trial={proposal.number}"]


def _outcome(
    ended: JobReturn, names: Sequence[str], constraints: Mapping[str, Bounds]
) -> Outcome | None:
    """How a job of the launcher ended; None if it was interrupted and will go on."""
    state = Job(Path(str(ended.working_dir))).written()
    if state.status == INTERRUPTED:
        return None
    if state.status != DONE:
        return Outcome("pruned" if state.status == PRUNED else "failed")
    # A figure that a job does not give can't be said to be kept.
    broken = {
        name: bounds.broken(state.metrics[name]) if name in state.metrics else 1.0
        for name, bounds in constraints.items()
    }
    return Outcome("done", tuple(state.metrics[name] for name in names), broken)
