"""Composed configuration to settings, with everything checked before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from nnplug import stock
from nnplug.catalog import Catalog, Shelf
from nnplug.config import required, resources
from nnplug.config.build import build, unknown_key
from nnplug.config.settings import (
    Best,
    Choice,
    Convert,
    Dataset,
    DataSettings,
    Evaluate,
    ModelSettings,
    Network,
    Planner,
    Predict,
    Resume,
    Trainer,
)
from nnplug.config.sweeping import check_objective
from nnplug.errors import ConfigError

AUTO = "auto"
NONE = "none"
CHAIN = "chain"
T = TypeVar("T")


def data_settings(config: Mapping[str, Any], catalog: Catalog) -> DataSettings:
    """Settings of ``convert`` and ``check``.

    Raises:
        ConfigError: a key, type or value can't be used.
        PluginError: a converter, a remapper or a package in ``plugins.required`` is not there.
    """
    return build(DataSettings, _prepared(config, catalog))


def model_settings(config: Mapping[str, Any], catalog: Catalog) -> ModelSettings:
    """Settings of ``plan`` and ``train``; raises as :func:`data_settings`."""
    values = {**_prepared(config, catalog), **_resume(config)}
    listed = _list_of_choices(
        values.get("tracking"), "tracking", catalog.trackers, "[tensorboard, {mlflow: {uri: URL}}]"
    )
    values["lowres"] = _first_stage(values, catalog)
    settings = build(
        ModelSettings, {**values, "tracking": listed, "pretrained": _pretrained(config)}
    )
    check_objective(
        settings.objective, [n for n, value in settings.dataset.labels.items() if value]
    )
    for key, trainer in (("trainer", settings.trainer), ("lowres", settings.lowres)):
        if trainer is not None:
            trainer_options(trainer, catalog)
            _check_axes(trainer, settings.network, f"{key}.patch_size")
    planner_target(settings.planner, settings.network, catalog)
    return settings


def _resume(config: Mapping[str, Any]) -> dict[str, Any]:
    node = config.get("resume") or {}
    wanted = build(Resume, {"newest": node} if isinstance(node, bool) else node, "resume")
    return {"resume": wanted.newest or wanted.extend is not None, "extend": wanted.extend}


def _pretrained(config: Mapping[str, Any]) -> Any:
    node = config.get("pretrained")
    if isinstance(node, str):
        node = {"model": node}
    return None if isinstance(node, Mapping) and node.get("model") is None else node


def _first_stage(values: Mapping[str, Any], catalog: Catalog) -> dict[str, Any] | None:
    """The trainer of the cascade's first stage: what ``lowres`` says, and else as the second's."""
    changes = values.get("lowres")
    if changes is not None and not isinstance(changes, Mapping):
        raise ConfigError("keys of trainer are wanted here", where="lowres")
    trainer = values.get("trainer") or {}
    if not isinstance(trainer, Mapping) or not isinstance(trainer.get("name"), str):
        return None
    changes = dict(changes or {})
    if values.get("network") != "3d_cascade_fullres":
        if changes:
            raise ConfigError("only the cascade has a first stage", where="lowres")
        return None
    if stock.mode(trainer["name"]) == "cascade":
        changes = {"name": "v2", **changes}
    if changes.get("name", trainer["name"]) == trainer["name"]:
        return {**trainer, **changes} if changes else None
    defaults = catalog.trainers.get(str(changes["name"])).spec.defaults
    return {**trainer, "options": {}, **defaults, **changes}


def _check_axes(trainer: Trainer, network: str, key: str) -> None:
    axes = 2 if network == "2d" else 3
    if trainer.patch_size is not None and len(trainer.patch_size) != axes:
        raise ConfigError(
            f"network {network} has {axes} axes, not {len(trainer.patch_size)}",
            where=key,
            hint="give the patch as [y, x]" if axes == 2 else "give the patch as [z, y, x]",
        )


def predict_settings(config: Mapping[str, Any], catalog: Catalog) -> Predict:
    """Settings of ``predict``; raises as :func:`data_settings`."""
    values = _prepared(config, catalog)
    dataset = values.pop("dataset", None) or {}
    values["task"] = _task(dataset)
    reading = {key: values.pop(key) for key in ("converter", "memory_bound")}
    reading["convert"] = values.pop("convert", None) or {}
    values.pop("remap")
    build(Convert, reading["convert"], "convert")
    key, values["format"] = _step(values.get("format") or "nii.gz", "format")
    choice_options(Choice(**values["format"]), catalog.writers, key)
    values["postprocess"] = _list_of_choices(
        values.get("postprocess"),
        "postprocess",
        catalog.remappers,
        "[largest_component, {minimum_volume: {mm3: 100}}]",
    )
    settings = build(Predict, values)
    if settings.model is None and settings.task is None:
        raise ConfigError(
            "which model?", hint="give model=DIR, or dataset=NAME network=... trainer=..."
        )
    if settings.task is None or not dataset.get("channels"):
        return settings
    reading |= {key: values[key] for key in ("paths", "workers") if key in values}
    reading["dataset"] = {**dataset, "unlabelled": True, "force_task_id": True}
    return replace(settings, data=build(DataSettings, {**reading, "remap": []}))


def _list_of_choices(
    listed: Any, key: str, shelf: Shelf[Any], example: str
) -> list[dict[str, Any]]:
    """A list of NAME or {NAME: {OPTION: VALUE}}, each checked; null is an empty list."""
    listed = [] if listed is None else listed
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise ConfigError("a list is wanted here", where=key, hint=f"{key}={example}")
    steps = [_step(step, f"{key}[{index}]") for index, step in enumerate(listed)]
    for place, step in steps:
        choice_options(Choice(**step), shelf, place)
    return [step for _, step in steps]


def _task(dataset: Mapping[str, Any]) -> str | None:
    """The task that a model was trained on; only its name and id have to be known."""
    known = [field.name for field in fields(Dataset)]
    for name in dataset:
        if name not in known:
            raise unknown_key(f"dataset.{name}", [f"dataset.{key}" for key in known])
    if dataset.get("name") is None or dataset.get("task_id") is None:
        return None
    enough = {"channels": dataset.get("channels") or {0: "image"}, "unlabelled": True}
    return build(Dataset, {**dataset, **enough, "force_task_id": True}, "dataset").task


def best_settings(config: Mapping[str, Any], catalog: Catalog) -> Best:
    """Settings of ``best``.

    Raises:
        ConfigError: a key, type or value can't be used.
        PluginError: a trainer, converter or remapper that is not there.
    """
    values = _prepared(config, catalog)
    task = _task(values.pop("dataset", None) or {})
    build(Convert, values.pop("convert", None) or {}, "convert")
    for unused in ("converter", "remap", "memory_bound"):
        values.pop(unused)
    network = values.pop("network", None)
    if network is not None:
        raise ConfigError(
            "best compares several", where="network", hint=f"networks=[{network}, ...]"
        )
    if task is None:
        raise ConfigError("which dataset?", hint="give dataset=NAME")
    return build(Best, {**values, "task": task})


def evaluate_settings(config: Mapping[str, Any]) -> Evaluate:
    """Settings of ``evaluate``.

    Raises:
        ConfigError: a key, type or value can't be used.
        PluginError: a package in ``plugins.required`` is not there.
    """
    values = {key: value for key, value in config.items() if key not in ("experiment", "sweep")}
    required.check(values.pop("plugins", None))
    return build(Evaluate, {**values, "workers": worker_count(config.get("workers", AUTO))})


def trainer_options(trainer: Trainer, catalog: Catalog) -> object | None:
    """The trainer's own options as its plugin's dataclass, or None if it has none.

    Raises:
        ConfigError: a key or value that the plugin doesn't know.
        PluginError: nobody offers that trainer.
    """
    spec = catalog.trainers.get(trainer.name).spec
    if spec.options is None:
        if trainer.options:
            raise unknown_key(f"trainer.options.{next(iter(trainer.options))}", [])
        return None
    options: object = build(spec.options, trainer.options, "trainer.options")
    return options


def planner_target(planner: Planner, network: Network, catalog: Catalog) -> str:
    """``"package.module:Class"`` of the planner for that network.

    Raises:
        ConfigError: it doesn't plan such networks.
        PluginError: nobody offers that planner or preprocessor.
    """
    spec = catalog.planners.get(planner.name).spec
    if planner.preprocessor is not None:
        catalog.preprocessors.get(planner.preprocessor)
    target = spec.target_2d if network == "2d" else spec.target
    if not target:
        raise ConfigError(
            f"the planner {planner.name} doesn't plan {network}",
            where="planner",
            hint="choose another planner, or network="
            + ("3d_fullres" if network == "2d" else "2d"),
        )
    return target


def choice_options(choice: Choice, shelf: Shelf[Any], key: str) -> object | None:
    """The chosen converter's or remapper's options as its plugin's dataclass.

    A key that is null and unknown to the plugin is one of nnplug's general keys, left alone.

    Raises:
        ConfigError: a key or value that the plugin doesn't know.
    """
    options = shelf.get(choice.name).spec.options
    known = {field.name for field in fields(options)} if options else set()
    given = {
        name: value for name, value in choice.options.items() if value is not None or name in known
    }
    if options is None:
        if given:
            name = next(iter(given))
            raise ConfigError(f"{key}={choice.name} has no such option", where=f"{key}.{name}")
        return None
    built: object = build(options, given, key)
    return built


def _prepared(config: Mapping[str, Any], catalog: Catalog) -> dict[str, Any]:
    values = dict(config)
    required.check(values.pop("plugins", None))
    values["memory_bound"] = values.get("workers", AUTO) == AUTO
    values["workers"] = worker_count(values.get("workers", AUTO))
    values["converter"] = _choice(values.get("converter"), "converter")
    if values["converter"]["name"] != AUTO:
        choice_options(Choice(**values["converter"]), catalog.converters, "converter")
    steps = _steps(values.get("remap"))
    for key, step in steps.items():
        choice_options(Choice(**step), catalog.remappers, key)
    values["remap"] = list(steps.values())
    for key in ("experiment", "sweep", "parallel", "shard"):
        values.pop(key, None)
    return values


def _choice(node: Any, key: str) -> dict[str, Any]:
    if not isinstance(node, Mapping) or not isinstance(node.get("name"), str):
        raise ConfigError("a name is wanted here", where=f"{key}.name", hint=f"{key}=NAME")
    options = {str(name): value for name, value in node.items() if name != "name"}
    return {"name": node["name"], "options": options}


def _steps(node: Any) -> dict[str, dict[str, Any]]:
    """The remappers to go through, each by the key below which its options stand."""
    choice = _choice(node, "remap")
    if choice["name"] == NONE:
        return {}
    if choice["name"] != CHAIN:
        return {"remap": choice}
    listed = choice["options"].pop("steps", None)
    if choice["options"]:
        raise unknown_key(f"remap.{next(iter(choice['options']))}", ["remap.steps"])
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise ConfigError(
            "a list of remappers is wanted here",
            where="remap.steps",
            hint="remap.steps=[{keep: {values: [1, 7]}}, largest_component]",
        )
    return dict(_step(step, f"remap.steps[{index}]") for index, step in enumerate(listed))


def _step(node: Any, key: str) -> tuple[str, dict[str, Any]]:
    if isinstance(node, str):
        node = {node: None}
    if not isinstance(node, Mapping) or len(node) != 1:
        raise ConfigError("NAME or {NAME: {OPTION: VALUE}} is wanted here", where=key)
    ((name, options),) = node.items()
    if options is not None and not isinstance(options, Mapping):
        raise ConfigError("options and values are wanted here", where=f"{key}.{name}")
    return f"{key}.{name}", {"name": str(name), "options": dict(options or {})}


def worker_count(value: Any) -> int:
    """Processes to use: a number (0: as far as possible none), or ``auto`` for one a core.

    Raises:
        ConfigError: anything else.
    """
    if value == AUTO:
        return resources.cores()
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigError(
            f"a number of at least 0 or auto is wanted here, not {value!r}", where="workers"
        )
    return value


def existing_folder(path: Path, key: str) -> Path:
    """``path``, which must be a folder.

    Raises:
        ConfigError: it isn't.
    """
    if not path.is_dir():
        raise ConfigError("there is no such folder", where=f"{key}={path}")
    return path
