"""The commands `parvis-hub rollout` and `parvis-hub config`: models and site plans to units, in rings."""

from __future__ import annotations

import hashlib
import json
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from parvis_contract import ModelRef, Site

from .command_line import DATA_DIR, By, DataDir, SitePlan, StoreUrl, load_plan, open_store

if TYPE_CHECKING:
    from .rollout import Order, PlanTarget, Rollout, RolloutShelf

rollouts = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
configs = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Which = Annotated[str | None, typer.Argument(help="The id of a rollout, or how it begins; without it: the last.", metavar="ROLLOUT")]
Canary = Annotated[list[str] | None, typer.Option(help="A unit that is asked before all others; may be repeated. Without it: the first.")]
Shares = Annotated[str, typer.Option(help="The rings after it: per cent of all units, each with those before.", metavar="10,50,100")]
Soak = Annotated[
    str, typer.Option(help="How long each ring is watched before the next; 0h asks all, one ring after another.", metavar="2h|24h")
]
Units = Annotated[list[str] | None, typer.Option("--unit", help="For this unit alone; may be repeated. Without it: every one.")]


@rollouts.callback()
def _rollout() -> None:
    """Bring a version of a model to the units in rings: one first, then a tenth, a half, all.

    Each ring is watched for a time before the next begins: what units say of themselves, how long inference takes, and how many events of
    each type begin in an hour, compared with the same hours of the days before and with the units that do not have the new version yet.
    Where something is wrong, nothing goes on until somebody says so. Units that are away are asked when they are heard of again.

    The hub that runs on the same store does it, and signs what it asks of units: start it with --signing-key. A unit takes nothing but what
    the repository's own keys have signed, whatever the hub asks.
    """


@rollouts.command()
def start(
    *,
    site: SitePlan,
    model: Annotated[
        str,
        typer.Option(help="Its name, as `parvis-models` has it; root-generic or root-raspberry-pi for the cards.", metavar="nanodet-g-416"),
    ],
    version: Annotated[str, typer.Option(help="Which version.", metavar="1.1.0")],
    repository: Annotated[Path, typer.Option(help="The folder of `parvis-models publish`.", metavar="DIR")],
    back_to: Annotated[
        str | None, typer.Option(help="The version to go back to; without it, the one that most units run.", metavar="1.0.0")
    ] = None,
    canary: Canary = None,
    shares: Shares = "10,50,100",
    soak: Soak = "24h",
    unit: Units = None,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    r"""Begin to bring a version of a model to the units.

    Carefully, with a unit that somebody can reach as the first:
      parvis-hub rollout start --site site.yaml --repository repository \
          --model nanodet-g-416 --version 1.1.0 --canary u003 --by a-martin
    Faster, after a trial elsewhere:
      parvis-hub rollout start --site site.yaml --repository repository \
          --model nanodet-g-416 --version 1.1.0 --shares 100 --soak 2h
    """
    from .rollout import NotStarted, ReleaseTarget
    from .rollout import Order as Asked

    with _shelf(site, store, data_dir) as (plan, shelf):
        listed = _listed(repository, model)
        with shelf.changing() as connection:
            running = {name: now.versions.get(model) for name, now in shelf.now(connection, "release").items()}
        runs = Counter(each for name in plan.units if (each := running.get(name)) is not None and each != version)
        before = back_to or next((each for each, _ in runs.most_common() if each in listed), None)
        for wanted in (version, back_to):
            if wanted is not None and wanted not in listed:
                raise NotStarted(f"{repository} lists no {model} {wanted}; it has {', '.join(sorted(listed)) or 'none'}")
        # A unit that has not said what it runs yet is asked too, and refuses what no sense of it runs.
        names = unit or [name for name in plan.units if running.get(name, model) is not None]
        targets = {each: ReleaseTarget(model=ModelRef(name=model, version=each), sha256=listed[each]) for each in listed}
        order = Asked(targets[version], targets.get(before or ""), _known(plan, names), canary or (), _shares(shares), _seconds(soak))
        _begin(shelf, order, by)


@rollouts.command()
def status(
    which: Which = None,
    *,
    site: SitePlan,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Say how far a rollout has come, unit by unit, and why it was halted."""
    with _shelf(site, store, data_dir) as (_, shelf):
        rollout = shelf.one(which)
    sys.stdout.write(rollout.model_dump_json(indent=1) + "\n" if as_json else _said(rollout))


@rollouts.command()
def pause(which: Which = None, *, site: SitePlan, by: By = "hub", data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Ask no more units for now. Those that were asked already go on."""
    from .rollout.decide import pause as paused

    with _shelf(site, store, data_dir) as (_, shelf):
        sys.stdout.write(_said(shelf.change(shelf.one(which).id, paused, by)))


@rollouts.command()
def resume(which: Which = None, *, site: SitePlan, by: By = "hub", data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Go on after a pause, or in spite of a halt: the ring is watched anew, and units that had a problem are asked again."""
    from .rollout.decide import resume as resumed

    with _shelf(site, store, data_dir) as (_, shelf):
        changed = shelf.change(shelf.one(which).id, lambda rollout: resumed(rollout, time.time_ns() // 1000), by)
        sys.stdout.write(_said(changed))


@rollouts.command()
def back(which: Which = None, *, site: SitePlan, by: By = "hub", data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Ask every unit that was asked to go forward to go back to what it had before."""
    from .rollout.decide import back as gone_back

    with _shelf(site, store, data_dir) as (_, shelf):
        sys.stdout.write(_said(shelf.change(shelf.one(which).id, gone_back, by)))


@configs.callback()
def _config() -> None:
    """Bring a site plan to the units in rings, as `parvis-hub rollout` brings a model. Its status, pause, resume and back are there."""


@configs.command()
def push(
    plan: Annotated[Path, typer.Argument(help="The new site plan.", metavar="NEW.yaml")],
    *,
    site: SitePlan,
    fleet_dir: Annotated[Path, typer.Option(help="The hub's --fleet-dir, from which units fetch it.", metavar="DIR")],
    canary: Canary = None,
    shares: Shares = "10,50,100",
    soak: Soak = "2h",
    unit: Units = None,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    r"""Begin to bring a site plan to the units.

    A unit checks it, starts again with it, and goes back to the one before if it has not become well within five minutes. The hub itself
    goes on with its own --site until it is started again.

    After a change of zones, with the unit that it is about first:
      parvis-hub config push new.yaml --site site.yaml \
          --fleet-dir /var/lib/parvis-hub/fleet --canary u017 --by a-martin
    """
    from .rollout import NotStarted
    from .rollout import Order as Asked

    after = load_plan(plan)
    with _shelf(site, store, data_dir) as (before, shelf):
        if after.site != before.site:
            raise NotStarted(f"{plan}: is of the site {after.site}, and this hub of {before.site}")
        if not set(before.hub_keys) & set(after.hub_keys):
            raise NotStarted(f"{plan}: `hub_keys` has none of those that units obey now: they would refuse it")
        names = _known(after, unit or [name for name in after.units if name in before.units])
        new, old = (_offered(fleet_dir, path) for path in (plan, site))
        _begin(shelf, Asked(new, old, names, canary or (), _shares(shares), _seconds(soak)), by)


def _offered(fleet_dir: Path, plan: Path) -> PlanTarget:
    """Puts a plan where units fetch it."""
    from .fleet import FleetFolder
    from .rollout import PlanTarget
    from .whole_file import replace

    raw = plan.read_bytes()
    sha256 = hashlib.sha256(raw).hexdigest()
    folder = FleetFolder(fleet_dir).plans
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / f"{sha256}.yaml", raw, 0o644)
    return PlanTarget(sha256=sha256)


def _begin(shelf: RolloutShelf, order: Order, by: str) -> None:
    from .rollout import new_rollout

    now_us = time.time_ns() // 1000
    rollout = new_rollout(order, uuid.uuid4(), now_us)
    shelf.start(rollout, by)
    sys.stdout.write(_said(rollout))


def _listed(repository: Path, model: str) -> dict[str, str]:
    """The versions of a model that a repository lists, with their digests; what units believe of it, they check themselves."""
    from .fleet.endings import newest_metadata
    from .rollout import NotStarted

    newest = newest_metadata(repository, "targets")
    try:
        targets = json.loads(newest.read_bytes())["signed"]["targets"]
        # A card's root is released as a model would be: root-generic is in roots/generic/.
        root = model.removeprefix("root-")
        prefix, suffix = (f"roots/{root}/", ".img.zst") if root != model else (f"models/{model}/", ".tar")
        return {
            name.removeprefix(prefix).removesuffix(suffix): about["hashes"]["sha256"]
            for name, about in targets.items()
            if name.startswith(prefix) and name.endswith(suffix)
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotStarted(f"{newest}: is not what `parvis-models publish` writes ({error or type(error).__name__})") from None


def _known(plan: Site, names: Sequence[str]) -> list[str]:
    unknown = [name for name in names if name not in plan.units]
    if unknown:
        raise ValueError(f"{plan.path}: units: no unit {', '.join(unknown)}; there are {', '.join(sorted(plan.units))}")
    return list(dict.fromkeys(names))


def _shares(text: str) -> list[float]:
    try:
        return [float(part) / 100 for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--shares {text}: per cents, such as 10,50,100") from None


def _seconds(text: str) -> float:
    from .consent.until import parse_until

    now = datetime.now(UTC)
    span = parse_until("--soak", text, now) - now
    if span < timedelta(0):
        raise ValueError(f"--soak {text}: a span, such as 2h or 24h")
    return span.total_seconds()


def _said(rollout: Rollout) -> str:
    from .rollout.rings import TRIAL_S

    lines = [f"rollout {rollout.id}: {rollout.target}, {rollout.phase}"]
    lines += [f"  goes back to: {rollout.back_to or 'not known: it cannot'}; each ring is watched for {rollout.soak_us / 3.6e9:g} h"]
    if rollout.target.kind == "release" and rollout.soak_us < TRIAL_S * 1e6 and len(rollout.rings) > 1:
        lines.append(
            f"  take care: a unit tries a model for {TRIAL_S / 60:.0f} minutes; what fails after the soak has reached the next ring"
        )
    halt = rollout.halt
    if halt is not None and halt.jump is not None:
        jump = halt.jump
        lines.append(
            f"  halted: {jump.type} {jump.before.rate_per_h:.3g} → {jump.after.rate_per_h:.3g} an hour and unit (others "
            f"{jump.others_before.rate_per_h:.3g} → {jump.others_after.rate_per_h:.3g}), p {jump.p:.1g} < {jump.limit:.1g}"
        )
    elif halt is not None:
        lines.append(f"  halted: {halt.problem} at {', '.join(halt.units)}, of {halt.asked} that were asked")
    for number, ring in enumerate(rollout.rings):
        begun = "begun" if number <= rollout.ring else "waits"
        lines.append(
            f"  ring {number + 1}, to {ring.share:.0%} ({begun}): {', '.join(f'{unit} {_how(rollout, unit)}' for unit in ring.units)}"
        )
    return "\n".join(lines) + "\n"


def _how(rollout: Rollout, unit: str) -> str:
    member = rollout.back.members.get(unit, rollout.members[unit]) if rollout.back else rollout.members[unit]
    back = "went back" if rollout.back and unit in rollout.back.members else "took it"
    if member.problem is not None:
        return f"{member.problem}{f' ({member.refusal})' if member.refusal else ''}"
    if member.taken_us is not None:
        return back
    return "was asked" if member.sent_us is not None else "not asked yet"


@contextmanager
def _shelf(site: Path, store: str | None, data_dir: Path) -> Iterator[tuple[Site, RolloutShelf]]:
    from .rollout import RolloutShelf, UnknownRollout

    with open_store(site, data_dir, store, UnknownRollout) as (plan, database):
        yield plan, RolloutShelf(database, lambda: time.time_ns() // 1000)
