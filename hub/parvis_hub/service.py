"""The hub that runs: broker, intake, store, publisher and console; one thread decides, one keeps routes, one serves the console."""

from __future__ import annotations

import contextlib
import gc
import importlib
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvicorn
from parvis_contract import Site, to_datetime
from parvis_contract.signing import SigningKey
from sqlalchemy.exc import SQLAlchemyError

from .accounts import Sessions, Tokens, Users
from .consent.keyring import Keyring
from .feeds.home_assistant import discovery
from .governance import Head
from .intake import Broker, BrokerAddress, Delivery, Intake, SteadyClock
from .load import Backlog, room_for_events
from .publish import CommandSender, Publisher, RouteKeeper, Standing
from .publish.routes import LOOK_S
from .rollout import RolloutKeeper
from .rollout.keeper import LOOK_S as ROLLOUT_LOOK_S
from .store import CommandStore, Database, Desk, Notice, Notices, Store
from .store.notices import RESYNC, Trouble

#: Messages of one transaction, at most: enough that writing to disk costs each of them little.
BATCH = 500
#: How long to wait for the first message of a batch; so often, too, it is looked whether an incident has closed.
TICK_S = 0.25
#: Batches begin so far apart, unless a whole one waits: a transaction costs as much as fifty messages, and a flash card so many writes.
GATHER_S = 0.05
#: How often expired rows are deleted, and memory is let go of.
TIDY_S = 60.0
#: How soon memory is let go of again where there is no more room in it.
FULL_S = 5.0
#: While the store cannot be used, nothing is acknowledged and it is tried again after this long.
RETRY_S = 1.0
#: A wall clock that is off by more than this was set; time services shift it by less without anybody's noticing.
OFF_US = 1_000_000
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TOO_MUCH = "see docs/performance.md for what a machine can do"
#: What is said of a trouble, and what to do.
_WARNINGS: dict[Trouble, tuple[str, str]] = {
    "behind": ("messages come faster than the hub deals with them; the broker keeps what waits", _TOO_MUCH),
    "crowded": ("more happens than there is room for in memory; what comes more than a minute late is part of no incident", _TOO_MUCH),
    "clock": ("the machine's clock was set; the hub goes on by its own", "see to its time service"),
}

log = structlog.get_logger("parvis.hub")
T = TypeVar("T")
#: A server, and where it listens.
_Served = tuple[uvicorn.Server, socket.socket]


class NobodyMaySignIn(RuntimeError):
    """The console can be reached from other machines, and has no users; the message says what to do."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How units enrol.

    Attributes:
        folder: Of the authority and of the broker's files.
        listen: Host and port; port 0 for any that is free.
        repository: Folder of signed releases; None for none.
    """

    folder: Path
    listen: tuple[str, int]
    repository: Path | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a hub is run.

    Attributes:
        broker: Where the broker is.
        store: URL of the store.
        listen: Host and port of the console; None for none. Port 0 for any that is free.
        names: Under which the console may be asked for besides those of this machine's loopback; ``*`` for any.
        proxies: Addresses of the proxies before the console, which see to TLS; what they say of where a request is from is believed.
        home_assistant: Under which topic Home Assistant hears of the units; None if it is not to.
        keys: Folder of the participants' keys.
        signing_key: With which the lists of tags are signed that follow the register; None if they are issued by hand.
        openid: File that says at which provider of OpenID Connect people sign in besides; None for none.
        fleet: How units enrol; None if they cannot.
        zoo: Folder of the models' cards, which the console shows; None for the one beside the installed packages.
    """

    broker: BrokerAddress
    store: str
    listen: tuple[str, int] | None
    names: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    home_assistant: str | None = None
    keys: Path | None = None
    signing_key: SigningKey | None = None
    openid: Path | None = None
    fleet: FleetOptions | None = None
    zoo: Path | None = None


class Hub:
    """One site's hub."""

    def __init__(self, site: Site, options: Options) -> None:
        """Opens the store and makes everything ready; nothing runs yet.

        Raises:
            StoreError: The store cannot be used.
            OSError: The console's address is taken, or a file of the broker's TLS cannot be read.
            ConfigError: A file that the site plan names cannot be used.
            NobodyMaySignIn: The console can be reached from other machines, and there is no user.
        """
        self._site, self._options, self._clock = site, options, SteadyClock(units=len(site.units))
        self._now_us = self._clock.now_us
        self._database = Database(options.store, site.site)
        self._store = Store(self._database, site, self._now_us, Keyring(options.keys) if options.keys else None)
        self._clock.go_on_from(self._store.last_seen_us())
        self._say_head(self._store.started())
        self._changes = Notices()
        self._desk = Desk(self._store, site, self._changes, now=self._now)
        self._broker = Broker(options.broker, site.site, now_us=self._now_us, told=self._hear_of_broker)
        self._publisher = Publisher(site.site, self._store, self._broker)
        self._commands = CommandSender(site.site, CommandStore(self._database), self._broker, self._now_us)
        self._routes = RouteKeeper(site, self._store, self._broker, options.signing_key, self._now_us)
        self._rollouts = RolloutKeeper(site, self._database, options.signing_key, self._now_us)
        prefix = options.home_assistant
        self._standing = Standing(self._broker, discovery(site, prefix) if prefix else {})
        self._stopping = threading.Event()
        self._failed: BaseException | None = None
        self._sessions = Sessions(self._database, self._now_us)
        served = {"console": self._console(), "fleet": self._fleet()}
        self._servers = {name: each for name, each in served.items() if each is not None}

    def _now(self) -> datetime:
        """The time: not the wall's, which may be set back, so that what is shown and decided is not before what it is about."""
        return to_datetime(self._now_us() / 1e6)

    def run(self) -> None:
        """Runs until :meth:`stop`, SIGTERM or SIGINT; for the main thread. Raises whatever ended it, if something did."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        works: dict[str, Callable[[], None]] = {"decide": self._decide, "routes": self._keep_routes, "rollouts": self._keep_rollouts}
        works |= {name: partial(server.run, [listening]) for name, (server, listening) in self._servers.items()}
        threads = [threading.Thread(target=self._guarded, args=(work,), name=name) for name, work in works.items()]
        for thread in threads:
            thread.start()
        self._stopping.wait()
        for server, _ in self._servers.values():
            server.should_exit = True
        for thread in threads:
            thread.join()
        with contextlib.suppress(SQLAlchemyError):
            self._say_head(self._store.audit_head())
        self._database.close()
        if self._failed is not None:
            raise self._failed
        log.info("stopped")

    @staticmethod
    def _say_head(head: Head | None) -> None:
        # A journal is kept elsewhere than the store: a log that is cut off later lacks what was said here.
        log.info("accountability log", head=str(head) if head else None)

    def stop(self) -> None:
        """Asks it to end; what has come and is not kept is left to the broker."""
        self._stopping.set()

    def _guarded(self, work: Callable[[], None]) -> None:
        """A thread that dies takes the hub with it, so that whoever supervises the process knows."""
        try:
            work()
        except BaseException as error:
            self._failed = error
            log.exception("the hub has failed")
        finally:
            self.stop()

    # --- deciding -------------------------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        # Loaded now, rather than when the first shot is heard: it takes a second.
        importlib.import_module("parvis_hub.correlate.multilateration")
        _look_for_garbage_less_often()
        room = room_for_events()
        intake = self._patiently(lambda: Intake(self._site, self._store, room))
        if intake is None:
            return
        backlog = Backlog()
        self._broker.start()
        log.info("running", site=self._site.site, units=len(self._site.units), profile=self._site.law.name)
        tidy_at_s = forget_at_s = 0.0
        try:
            while not self._stopping.is_set():
                self._look_at_clock()
                next_s = time.monotonic() + GATHER_S
                self._turn(intake, self._broker.take(BATCH, TICK_S))
                more = self._broker.waiting >= BATCH
                self._suffer("behind", backlog.turn(self._now_us(), more=more))
                if not more:
                    self._stopping.wait(max(0.0, next_s - time.monotonic()))
                if time.monotonic() >= (forget_at_s if intake.full else tidy_at_s):
                    forget_at_s = time.monotonic() + FULL_S
                    intake.forget(self._now_us())
                    self._suffer("crowded", self._now_us() if intake.crowded else None)
                if time.monotonic() >= tidy_at_s:
                    tidy_at_s = time.monotonic() + TIDY_S
                    self._tidy()
        finally:
            self._broker.stop()

    def _turn(self, intake: Intake, deliveries: list[Delivery]) -> None:
        """One batch: prepared, kept, acknowledged, told, published. Nothing of it is acknowledged that is not kept."""
        prepared = self._patiently(lambda: intake.prepare(deliveries, self._now_us(), self._clock.latest_us()))
        if prepared is None:
            return
        self._clock.hear(prepared.said_us)
        batch = prepared.batch
        for unit, off_s in prepared.wrong_clocks.items():
            log.warning("a clock is off by more than it says; see to its time service", unit=unit, off_s=round(off_s, 3))
        batch.published = self._publisher.confirmed()
        if deliveries or batch.incidents or batch.published:
            revised = self._patiently(lambda: self._store.commit(batch))
            if revised is None:
                return
            self._broker.acknowledge(deliveries)
            self._publisher.kept(batch.published)
            self._changes.tell(*(Notice("unit", name) for name in batch.units), *(Notice("incident", name) for name in revised))
        self._standing.turn()
        self._publisher.reject(prepared.rejections)
        self._patiently(self._publisher.publish)
        commanded = self._patiently(lambda: self._commands.turn(batch.units))
        self._changes.tell(*(Notice("unit", name) for name in commanded or ()))

    def _suffer(self, trouble: Trouble, since_us: int | None, **details: float) -> None:
        """Takes note of what the hub suffers from since a time, or of that it does not; says when that begins and ends."""
        known, (what, advice) = trouble in self._changes.troubles, _WARNINGS[trouble]
        if since_us is not None and not known:
            log.warning(what, advice=advice, **details)
            self._changes.suffer(trouble, since_us)
        elif since_us is None and known:
            log.info("that is over", what=what)
            self._changes.suffer(trouble, None)

    def _hear_of_broker(self, there: bool) -> None:
        if there:
            self._changes.suffer("broker", None)
        elif "broker" not in self._changes.troubles:
            self._changes.suffer("broker", self._now_us())

    def _look_at_clock(self) -> None:
        off_us = self._clock.off_us()
        self._suffer("clock", self._now_us() if abs(off_us) > OFF_US else None, by_s=off_us / 1e6)

    def _keep_routes(self) -> None:
        """Beside deciding, which must not wait until a long walk has been put on the map."""
        while not self._stopping.wait(LOOK_S):
            self._patiently(self._routes.turn)

    def _keep_rollouts(self) -> None:
        """Beside deciding: looking at a week's event rates takes a while."""
        while not self._stopping.wait(ROLLOUT_LOOK_S):
            self._patiently(self._rollouts.turn)

    def _tidy(self) -> None:
        deleted = self._patiently(lambda: purge(self._store, self._changes)) or {}
        self._patiently(self._sessions.forget)
        log.debug("tidied", deleted={name: count for name, count in deleted.items() if count})

    def _patiently(self, work: Callable[[], T]) -> T | None:
        """Does what needs the store, again and again while it cannot be used; None if the hub is to stop meanwhile."""
        since_us = None
        while True:
            try:
                done = work()
            except (SQLAlchemyError, OSError) as error:
                since_us = since_us or self._now_us()
                self._changes.suffer("store", since_us)
                reason = str(getattr(error, "orig", None) or error).strip()
                log.error("the store cannot be used; nothing is acknowledged until it can", reason=reason, again_in_s=RETRY_S)  # noqa: TRY400
            else:
                if since_us is not None:
                    self._changes.suffer("store", None)
                    log.info("the store can be used again", after_s=(self._now_us() - since_us) / 1e6)
                return done
            if self._stopping.wait(RETRY_S):
                return None

    # --- the console ----------------------------------------------------------------------------------------------------------

    def _console(self) -> _Served | None:
        if self._options.listen is None:
            return None
        # A hub without console, and a replay, need no web server.
        from .accounts.openid import Provider, SigningIn, load_openid
        from .console import Access, create_app, load_cards, zoo_folder

        host, names, proxies = self._options.listen[0], self._options.names, self._options.proxies
        users = Users(self._database, self._now_us)
        elsewhere = host not in _LOOPBACK or bool(names) or bool(proxies)
        openid = (
            SigningIn(Provider(*load_openid(self._options.openid)), self._sessions, lambda: self._now_us() / 1e6)
            if self._options.openid
            else None
        )
        if elsewhere and openid is None and not users.any():
            raise NobodyMaySignIn(
                "the console would be open to other machines, and nobody could sign in: add a user with `parvis-hub users add`, "
                "name a provider with --openid, or leave out --listen, --console-name and --console-proxy"
            )
        if host not in _LOOPBACK and not proxies:
            log.warning("passwords would travel in clear: put a proxy with TLS before the console, and name it with --console-proxy")
        app = create_app(
            self._desk,
            self._site,
            access=Access(
                users, self._sessions, Tokens(self._database, self._now_us), always=elsewhere, openid=openid, secure=bool(proxies)
            ),
            cards=load_cards(self._options.zoo or zoo_folder()),
            repository=self._options.fleet.repository if self._options.fleet else None,
            hosts=(*_LOOPBACK, *names),
            now=self._now,
        )
        believed: dict[str, Any] = {"proxy_headers": bool(proxies), "forwarded_allow_ips": list(proxies)}
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2, **believed)
        listening = _listening(self._options.listen)
        log.info("console", address=f"http://{host}:{listening.getsockname()[1]}")
        return uvicorn.Server(config), listening

    # --- the fleet ------------------------------------------------------------------------------------------------------------

    def _fleet(self) -> _Served | None:
        options = self._options.fleet
        if options is None:
            return None
        from .fleet import FleetFolder
        from .fleet.listener import create_listener
        from .fleet.serving import configuration

        folder = FleetFolder(options.folder)
        authority = folder.authority()
        fleet = folder.fleet(self._database, authority, self._now_us)
        folder.tell_broker(fleet, authority, self._site)
        app = create_listener(
            fleet,
            authority,
            self._site,
            folder.addresses(),
            changed=lambda: folder.tell_broker(fleet, authority, self._site),
            plans=folder.plans,
            repository=options.repository,
        )
        config = configuration(app, options.folder / "hub.pem")
        # Read now: a file that is missing is said before anything runs.
        config.load()
        listening = _listening(options.listen)
        log.info("fleet", address=f"https://{options.listen[0]}:{listening.getsockname()[1]}", authority_sha256=authority.sha256)
        return uvicorn.Server(config), listening


def _listening(address: tuple[str, int]) -> socket.socket:
    return socket.create_server(address, family=socket.AF_INET6 if ":" in address[0] else socket.AF_INET)


def purge(store: Store, changes: Notices) -> dict[str, int]:
    """Deletes what has expired, also from pages that have been open since; returns the number of rows by table."""
    deleted = store.purge()
    if any(deleted.values()):
        changes.tell(RESYNC)
    return deleted


def _look_for_garbage_less_often() -> None:
    """Spares Python's collector of cycles most of its work.

    It looks after every 700 new objects, and a message alone brings thirty: a fifth of the time went into that. What there is before the
    first message, the site plan and all code, stays as long as the hub and is looked at no more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_LOOK_AFTER)


_LOOK_AFTER = 50_000
