"""A unit, put together: its senses, each with a thread that captures and one that perceives, and one that delivers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from parvis_contract import ConfigError, ModelRef, Position, Site, StatusReason, StreamState, UnitStatus, command_topic

from .capture.container import READ_TIMEOUT_S
from .capture.exposure import set_exposure
from .capture.feed import Pace, camera_feed, microphone_feed
from .capture.source import Kind, SenseName
from .card.asking import CardReleases, running_root
from .commands.allowlist import Allowlist
from .commands.config import Configuration
from .commands.duty import Duty
from .commands.files import CommandFiles
from .commands.judge import Authority
from .commands.orders import ALLOWLIST, CONFIG, RELEASE, Orders
from .commands.plan_files import PlanFiles
from .commands.releases import Release
from .condition import REPORTED_S, Beating, Condition
from .delivery.clock import GIVEN, PRETENDED, read_clock
from .delivery.deliverer import Deliverer
from .delivery.messages import Messenger, Speaker
from .delivery.outbox import Outbox, OutboxError
from .delivery.session import session_name
from .delivery.speech import InOrder, Kept, Sink, Speech, StandardOutput
from .hosting import ModelHost, Models
from .law import Permission, permission, today
from .perceive import Perceiver
from .perception import Sense
from .plan import CannotStart, SenseMaker, Watch, check, default_makers
from .process import stopping_signals
from .reporter import Reporter
from .supervisor import Supervisor

if TYPE_CHECKING:
    from .update.shelf import Shelf as ModelShelf
    from .update.updater import ModelUpdater

__all__ = ["CannotStart", "Watch", "run"]

_log = structlog.get_logger()

#: States are looked at so often: a unit says within five seconds what is wrong.
_LOOK_S = 0.25
#: The law is asked again so often: a profile can run out while a unit runs.
_LAW_S = 60.0
#: How long a person who stops a unit is made to wait for the broker.
STOP_DRAIN_S = 5.0
#: What :func:`run` gives where the unit is to be started again, on another site plan.
RESTART = 3


def run(
    watch: Watch, makers: Mapping[SenseName, SenseMaker] | None = None, *, descriptor: int = 1, supervisor: Supervisor | None = None
) -> int:
    """Watches until the recordings are over or a signal comes.

    Args:
        watch: What to do.
        makers: Makes the senses; None takes :func:`default_makers`.
        descriptor: Where messages are printed, with ``standard_output``.
        supervisor: Who started it, and is told that it lives; None if nobody minds.

    Returns:
        0; 1 if a source could not be played, a sense broke down, or standard output was closed; :data:`RESTART` to be started again.

    Raises:
        CannotStart: Before anything was opened.
        parvis_edge.bundle.BundleError: A model is not there or not what it should be.
        parvis_edge.delivery.outbox.OutboxError: The outbox cannot be opened.
    """
    permissions = check(watch)
    _make_blind(watch)
    commanded = _commanded(watch, permissions)
    with ExitStack() as stack:
        shelf = _model_shelf(watch, stack)
        models = Models(None if shelf is None else shelf.load)
        senses = makers or default_makers(commanded.allowlist.allowed_tags, watch.shelf, models)
        running = _Running(watch, permissions, senses, commanded, descriptor=descriptor, supervisor=supervisor or Supervisor({}))
        if shelf is not None:
            running.keep_up_to_date(shelf, models)
        return running.run()


def start_on_trial(watch: Watch) -> Watch:
    """The same with the site plan that this start uses, and its trial, if there is one.

    Raises:
        CannotStart: The state on disk cannot be kept.
        ConfigError: The good plan cannot be used.
    """
    plans = PlanFiles(watch.site.path, watch.unit, watch.commands)
    try:
        site = plans.start(lambda site: check(replace(watch, site=site)), (CannotStart, ConfigError))
    except OSError as error:
        raise CannotStart(f"{watch.commands}: {error.strerror}; give a --data-dir that can be written in") from None
    return replace(watch, site=site, plans=plans)


def _model_shelf(watch: Watch, stack: ExitStack) -> ModelShelf | None:
    """The models that have been taken from the repository, for this program alone; None if there is no repository.

    Raises:
        CannotStart: Another program has them, or they cannot be kept.
    """
    if watch.updates is None:
        return None
    # The model runtime comes with it, and a refusal should not wait for that.
    from .update.errors import UpdateError
    from .update.shelf import Shelf

    shelf = Shelf(watch.data_dir / "update")
    try:
        stack.enter_context(shelf.locked())
    except UpdateError as error:
        raise CannotStart(str(error)) from None
    except OSError as error:
        raise CannotStart(f"{shelf.folder}: {error.strerror}; give a --data-dir that can be written in") from None
    return shelf


def _make_blind(watch: Watch) -> None:
    """Sets the exposure that the site plan asks for; raises SourceError if the camera does not take it."""
    camera, tags = watch.sources.get("camera"), watch.site.tags
    if camera is not None and camera.kind is Kind.DEVICE and tags is not None and tags.exposure_us is not None:
        set_exposure(Path(camera.address), tags.exposure_us)


@dataclass(frozen=True, slots=True)
class _Commanded:
    """What the hub has asked of this unit so far, and whose duty each is."""

    orders: Orders
    allowlist: Allowlist
    configuration: Configuration
    release: Release


def _commanded(watch: Watch, permissions: Mapping[SenseName, Permission]) -> _Commanded:
    site, camera = watch.site, permissions.get("camera")
    authority = Authority.of(site.site, watch.unit, site.hub_keys)
    allowlist = Allowlist(
        reads_tags=site.tags is not None and camera is not None and "tag.sighting" in camera.allowed,
        always=frozenset(site.tags.allow if site.tags is not None and site.law.name == "lab" else ()),
    )
    plans = watch.plans or PlanFiles(site.path, watch.unit, watch.commands)
    configuration, release = Configuration(plans, authority, watch.fetch_plan), Release()
    duties: dict[str, Duty] = {ALLOWLIST: allowlist, CONFIG: configuration, RELEASE: release}
    return _Commanded(Orders(authority, CommandFiles(watch.commands), duties), allowlist, configuration, release)


class _Running:
    """A unit that runs."""

    def __init__(
        self,
        watch: Watch,
        permissions: Mapping[SenseName, Permission],
        makers: Mapping[SenseName, SenseMaker],
        commanded: _Commanded,
        *,
        descriptor: int,
        supervisor: Supervisor,
    ) -> None:
        self._watch = watch
        self._supervisor = supervisor
        self._commanded = commanded
        self._again = False
        self._begun_s = time.monotonic()
        self._stop = threading.Event()
        self._failed, self._law_asked_s = False, 0.0
        self._start_s = time.time() if watch.start_s is None else watch.start_s
        clock = (PRETENDED if watch.start_s is None else GIVEN) if watch.recorded else read_clock()
        self._condition = Condition(clock, live=not watch.recorded, supervisor=supervisor)
        made = {sense: makers[sense](watch.site, watch.unit, found.allowed) for sense, found in permissions.items()}
        for sense, each in made.items():
            for line in getattr(each, "unjudged", ()):
                _log.warning("cannot be judged", sense=sense, why=line)
        models = {each.model.name: each.model for each in made.values()}
        program = ModelRef(name="parvis-edge", version=version("parvis-edge"))
        messenger = Messenger(
            Speaker(watch.site.site, watch.unit, self._position(), program, watch.site.count_floor, self._recording()), models
        )
        #: The root file system of a flashed card; None elsewhere.
        self._root = running_root()
        used = [*models.values(), *([self._root] if self._root else [])]
        self._reporter = Reporter(
            watch.site.site, watch.unit, program.version, used, commands=commanded.orders.status, show=supervisor.status
        )
        self._outbox: Outbox | None = None
        self._kept: Kept | None = None
        self._deliverer: Deliverer | None = None
        sink = self._printing(descriptor) if watch.standard_output else self._publishing()
        self._speech = Speech(messenger, sink, lambda: self._condition.clock, InOrder(made) if watch.recorded else None)
        pace = Pace(self._start_s, self._stop, real=watch.real_pace)
        self._perceivers = [self._perceiver(sense, makers[sense], permissions[sense], pace, made[sense]) for sense in made]
        self._reporter.about(self._perceivers)
        self._messenger = messenger
        self._updater: ModelUpdater | None = None

    def keep_up_to_date(self, shelf: ModelShelf, models: Models) -> None:
        """Takes models from the repository while it runs.

        Raises:
            CannotStart: The root metadata that the unit was given cannot be read.
        """
        from .update.repository import repository_of
        from .update.updater import ModelUpdater

        updates = self._watch.updates
        if updates is None:
            return
        try:
            repository = repository_of(shelf.folder, updates.repository, updates.root, updates.ca)
        except OSError as error:
            raise CannotStart(f"{updates.root}: {error.strerror}; give the root metadata of the repository") from None
        self._updater = ModelUpdater(shelf, repository, ModelHost(self._perceivers, models, self._uses))
        self._commanded.release.serve(self._updater if self._root is None else CardReleases(self._root, self._updater))

    # --- as a trial of a site plan needs it -----------------------------------------------------------------------------------

    def status(self) -> UnitStatus | None:
        """How it is, as it was last told."""
        return self._reporter.status

    def check(self, site: Site) -> None:
        """Whether it could start on a plan.

        Raises:
            ValueError: It could not.
        """
        try:
            check(replace(self._watch, site=site))
        except CannotStart as error:
            raise ValueError(str(error)) from None

    def restart(self) -> None:
        """Ends in order, to be started again."""
        self._again = True
        self._stop.set()

    def _uses(self, model: ModelRef) -> None:
        self._messenger.models[model.name] = model
        self._reporter.uses(model)

    # --- putting together -----------------------------------------------------------------------------------------------------

    def _position(self) -> Position:
        unit = self._watch.site.units[self._watch.unit]
        return Position(lon=unit.position.lon, lat=unit.position.lat, uncertainty_m=unit.range_m)

    def _recording(self) -> str | None:
        """What tells these recordings, with their beginning, from others; None if anything is live."""
        if not self._watch.recorded:
            return None
        prints = [source.fingerprint() or str(source) for source in self._watch.sources.values()]
        return "+".join([*prints, f"{self._start_s:.6f}"])

    def _printing(self, descriptor: int) -> Sink:
        def broken() -> None:
            _log.error("standard output was closed; nothing more can be said")
            self._failed = True
            self._stop.set()

        return StandardOutput(descriptor, broken)

    def _publishing(self) -> Sink:
        watch = self._watch
        self._outbox = Outbox(watch.outbox)
        self._kept = Kept(self._outbox)
        self._kept.retry()
        announcer = self._reporter.announcer(self._outbox, self._kept, lambda: self._condition.clock, watch.telemetry_s)
        inbox = (command_topic(watch.site.site, watch.unit), self._commanded.orders.take)
        self._deliverer = Deliverer(self._outbox, watch.broker, session_name(watch.session), announcer, inbox)
        return self._kept

    def _perceiver(self, sense: SenseName, maker: SenseMaker, found: Permission, pace: Pace, made: Sense[Any]) -> Perceiver:
        watch, source = self._watch, self._watch.sources[sense]
        feed, queue = (
            camera_feed(source, self._start_s, pace, self._condition.wall)
            if sense == "camera"
            else microphone_feed(source, self._start_s, pace, self._condition.wall)
        )
        return Perceiver(
            sense,
            feed=feed,
            queue=queue,
            make=lambda: maker(watch.site, watch.unit, found.allowed),
            sense=made,
            listener=self._speech,
            refuse=self._too_fine if sense == "camera" else lambda _: None,
        )

    def _too_fine(self, form: tuple[int, ...]) -> str | None:
        """Why pictures of this shape may not be judged: those that come can be larger than those that the calibration was taken in."""
        if self._watch.site.law.optical_cap is None:
            return None
        from .calibration.cap import over_the_cap

        return over_the_cap(self._watch.site, self._watch.unit, (form[1], form[0]))

    # --- running --------------------------------------------------------------------------------------------------------------

    def _metrics(self) -> Callable[[], None]:
        """Serves the metrics, if they are asked for; gives what ends that."""
        address = self._watch.metrics
        if address is None:
            return lambda: None
        # A web server is loaded only where it is asked for.
        from .metrics import Vitals, serve

        vitals = Vitals(
            self._perceivers,
            lambda: self._reporter.status,
            self._speech.said,
            lambda: self._condition.clock,
            self._outbox,
            self._kept,
            self._deliverer,
        )
        try:
            return serve(address, vitals)
        except OSError as error:
            where = f"--metrics {address[0]}:{address[1]}"
            raise CannotStart(f"{where}: {error.strerror or error}; give a free port and an address of this machine") from None

    def run(self) -> int:
        """Until the recordings are over or a signal comes."""
        end_metrics = self._metrics()
        with stopping_signals(self._stop):
            self._begin()
            while not self._stop.is_set() and any(perceiver.is_alive() for perceiver in self._perceivers):
                self._look()
                self._reporter.look(self._wrong())
                self._condition.live(self._threads())
                self._wait()
            self._end_watching()
            for perceiver in self._perceivers:
                perceiver.join()
            failed = self._failed or any(perceiver.failed or perceiver.feed.failure for perceiver in self._perceivers)
            self._end_delivery(failed=failed)
            for perceiver in self._perceivers:
                # A thread in the middle of a read would be in the way of the program's end.
                perceiver.feed.join(READ_TIMEOUT_S + 1.0)
            end_metrics()
        if self._again:
            return RESTART
        return 1 if failed else 0

    def _begin(self) -> None:
        if self._deliverer:
            self._deliverer.start()
        for perceiver in self._perceivers:
            _log.info("watching", sense=perceiver.sense_name, source=str(self._watch.sources[perceiver.sense_name]))  # type: ignore[index]
            perceiver.start()
            perceiver.feed.start()
        if self._updater:
            self._updater.start()
        if self._deliverer:
            # Without a broker no command comes, and none is acknowledged.
            self._commanded.configuration.serve(self)
        self._supervisor.ready()

    def _end_watching(self) -> None:
        if not self._again:
            # Who is told so waits for the program's end, which does not come where it starts again.
            self._supervisor.stopping()
        self._commanded.configuration.stop()
        if self._stop.is_set():
            _log.info("stopping")
        if self._updater:
            self._updater.stop()
        for perceiver in self._perceivers:
            perceiver.feed.stop()

    def _wait(self) -> None:
        """Until it is time to look again, or a sense is over."""
        until_s = time.monotonic() + _LOOK_S
        for perceiver in self._perceivers:
            perceiver.join(max(0.0, until_s - time.monotonic()))
            if self._stop.is_set() or all(not each.is_alive() for each in self._perceivers):
                return

    def _look(self) -> None:
        """Clock, law and disk."""
        if self._kept:
            self._kept.retry()
        self._condition.look()
        now_s = time.monotonic()
        if now_s - self._law_asked_s > _LAW_S:
            self._law_asked_s = now_s
            self._ask_the_law()

    def _threads(self) -> list[Beating]:
        parts: list[Beating] = [part for perceiver in self._perceivers for part in (perceiver, perceiver.feed)]
        return [*parts, self._deliverer] if self._deliverer else parts

    def _ask_the_law(self) -> None:
        """Stops a sense whose profile has run out."""
        for perceiver in self._perceivers:
            sense: SenseName = perceiver.sense_name  # type: ignore[assignment]
            recorded = self._watch.sources[sense].recorded
            found = permission(self._watch.site, sense, recorded=recorded, on=today(self._watch.site, datetime.now(UTC)))
            if not found.allowed and perceiver.is_alive():
                _log.error("the law allows it no longer; it is stopped", sense=sense, profile=found.reasons)
                perceiver.feed.liveness.ended(StreamState.FAILED, StatusReason.PROFILE_FORBIDS)
                perceiver.feed.stop()
                self._failed = True

    def _wrong(self) -> list[StatusReason]:
        """What is wrong, the worst first."""
        wrong: list[StatusReason | None] = [perceiver.ailment for perceiver in self._perceivers]
        if self._kept and self._outbox and self._deliverer:
            full = time.monotonic() - self._outbox.last_shed_s < REPORTED_S
            wrong += [self._kept.reason, StatusReason.OUTBOX_FULL if full else None, self._deliverer.reason]
        return [reason for reason in (*wrong, *self._condition.wrong()) if reason]

    def _end_delivery(self, *, failed: bool) -> None:
        if not self._deliverer or not self._outbox or not self._kept:
            return
        until_s = time.monotonic() + (STOP_DRAIN_S if self._stop.is_set() else self._watch.drain_s)
        self._kept.drain(until_s)
        self._reporter.stopped(failed=failed)
        self._deliverer.stop(max(0.0, until_s - time.monotonic()))
        self._deliverer.join()
        try:
            left = self._outbox.fill().messages
        except OutboxError as error:
            _log.error("the outbox cannot be read", detail=str(error))
            left = 0
        if left:
            _log.warning("not everything is delivered; the next run will go on with it", left=left, outbox=str(self._outbox.path))
        self._outbox.close()
