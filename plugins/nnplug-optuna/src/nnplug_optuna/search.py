"""Optuna behind nnplug's sweeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState

from nnplug.search import Outcome, Problem, Proposal
from nnplug_optuna import pruning, space, study
from nnplug_optuna.claims import Claims
from nnplug_optuna.options import OptunaOptions

CLAIMS = ".trials"
STATES = {"pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class OptunaSearch:
    """A study in the sweep's folder; implements :class:`nnplug.search.Search`."""

    def __init__(self, options: OptunaOptions) -> None:
        self.options = options
        self._trials: dict[int, Trial] = {}

    def open(self, problem: Problem) -> None:
        """Begin, or go on: first with what other workers left, then with what failed.

        Raises:
            ConfigError: the options and the problem don't go together.
        """
        if self.options.pruner != "none":
            pruning.check(list(problem.objectives))
        self._claims = Claims(problem.folder / CLAIMS)
        self._distributions = {key: space.distribution(d) for key, d in problem.space.items()}
        tried = list(space.grid(problem.space)) if self.options.sampler == "grid" else []
        with self._claims.alone:
            self._study = study.create(problem.folder, self.options, problem.objectives)
            trials = self._all()
            self._running = [trial for trial in trials if trial.state == TrialState.RUNNING]
            failed = [trial for trial in trials if trial.state == TrialState.FAIL]
            self._uncounted = len(failed)
            known = [_values(trial) for trial in trials if trial.state != TrialState.FAIL]
            again = [trial.params for trial in failed if trial.params]
            for values in again + tried:
                if values not in known:
                    self._study.enqueue_trial(values)
                    known.append(values)

    def ask(self) -> Proposal | None:
        """What was left by a worker that is gone, else a new trial."""
        with self._claims.alone:
            while self._running:
                trial = self._taken(self._running.pop(0))
                if trial is not None:
                    return self._proposal(trial)
            if not self._wanted():
                return None
            trial = self._study.ask(self._distributions)
            self._claims.take(trial.number)
            return self._proposal(trial)

    def tell(self, proposal: Proposal, outcome: Outcome) -> None:
        """Finish the trial."""
        trial = self._trials.pop(proposal.number)
        if outcome.status == "done":
            for name, value in (outcome.constraints or {}).items():
                trial.set_constraint(name, value)
            self._study.tell(trial, list(outcome.objectives))
        else:
            self._study.tell(trial, state=STATES[outcome.status])
        self._claims.leave(proposal.number)

    def best(self) -> Sequence[Proposal]:
        """The trials that no other beats, of those that keep to the constraints."""
        return [Proposal(trial.number, trial.params) for trial in self._study.best_trials]

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _taken(self, left: FrozenTrial) -> Trial | None:
        """A trial that was running, unless somebody still works on it or has finished it."""
        if not self._claims.take(left.number):
            return None
        if self._all()[left.number].state == TrialState.RUNNING:
            if set(left.params) == set(self._distributions):
                return Trial(self._study, left._trial_id)
            self._study.tell(left.number, state=TrialState.FAIL)  # its worker was making it
            self._uncounted += 1
        self._claims.leave(left.number)
        return None

    def _wanted(self) -> bool:
        """Whether another trial is."""
        trials = self._all()
        waiting = sum(trial.state == TrialState.WAITING for trial in trials)
        spent = len(trials) - waiting - self._uncounted
        return spent < self.options.trials and (waiting > 0 or self.options.sampler != "grid")

    def _proposal(self, trial: Trial) -> Proposal:
        self._trials[trial.number] = trial
        return Proposal(trial.number, trial.params)


def _values(trial: FrozenTrial) -> dict[str, Any]:
    """What a trial tries, or will when it begins."""
    return trial.params or dict(trial.system_attrs.get("fixed_params", {}))
