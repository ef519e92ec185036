"""Reports linked where two of them would be worth something as one thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from math import inf
from typing import Generic, Protocol, TypeVar

from .episodes import Clusters
from .neighbourhood import Cell
from .partition import Around, Group, Links, in_order, jointly
from .report import Order, Report

#: An episode of more than this is cut: a siren that drives through a city is heard by so many.
_MOST = 240
#: So many are looked at from all sides; more are taken one after the other, each to whom it fits best.
_JOINTLY = 32
#: So much of what groups are worth is remembered of one type.
_REMEMBERED = 20_000


class Seen(Protocol):
    """What one report says."""

    @property
    def unit(self) -> str:
        """Whose it is."""
        ...

    @property
    def order(self) -> Order:
        """Where it stands among all."""
        ...


_View = TypeVar("_View", bound=Seen)


class Model(Protocol[_View]):
    """What reports of a type are worth as one thing.

    Attributes:
        adds_up: That is the sum of what each is worth with those before it.
    """

    adds_up: bool

    def view_of(self, report: Report) -> _View:
        """What a report says."""
        ...

    def may(self, one: _View, other: _View) -> bool:
        """Whether two may be of one thing at all."""
        ...

    def worth(self, views: Sequence[_View]) -> float:
        """How much better one thing explains some, in order, than as many things do, as a logarithm; 0 for one."""
        ...

    def joins(self, before: Sequence[_View], view: _View) -> float:
        """How much more some are worth with one that began after them."""
        ...


class Linking(Clusters, Generic[_View]):
    """The reports of one type, and of one identity where the type has one, by the links between them."""

    #: More are looked at from all sides, too, if each is linked with so few of them on average.
    _few_links = 0

    def __init__(self, reach_m: float, model: Model[_View]) -> None:
        """Args: how far apart linked reports are at most; and what they are worth together."""
        super().__init__(reach_m, _MOST)
        self._model = model
        self._views: dict[Report, _View] = {}
        self._links: dict[Report, dict[Report, None]] = {}
        #: Counts what is said that something depends on: a report's number is another when it says something else.
        self._saying = 0
        self._said: dict[Report, int] = {}
        #: Of whom it must be asked with which others they are linked: once, however much they have said since that was last known.
        self._unlinked: dict[Report, None] = {}
        #: What reports are worth as one thing, by those numbers.
        self._worths: dict[Group, float] = {}
        #: And where they gain nothing by moving.
        self._content: set[Around] = set()
        #: Of episodes that were decided in order, by their first report: those numbers, and whose group each was put into.
        self._chosen: dict[Report, tuple[list[int], list[int]]] = {}

    def put(self, report: Report) -> None:
        """Adds a report."""
        super().put(report)
        self._views[report] = self._model.view_of(report)
        self._links[report] = {}
        self._unlinked[report] = None

    def _look_again(self, report: Report, since_us: int) -> tuple[_View, _View, frozenset[Cell]]:
        """What a report said before, what it says now, and where it was looked for until now."""
        before, cells = self._views[report], self._placed[report]
        now = self._views[report] = self._model.view_of(report)
        if self._near.cells_of(report) != cells:
            super().prolong(report, since_us)
        else:
            self._near.prolong(report, cells)
            self.refresh(report)
        return before, now, cells

    def _drop(self, report: Report) -> None:
        super()._drop(report)
        del self._views[report]
        self._said.pop(report, None)
        self._unlinked.pop(report, None)
        self._chosen.pop(report, None)
        for other in self._links.pop(report):
            del self._links[other][report]

    def settle(self) -> None:
        """Decides what has come since this was last called, with all that it has to do with."""
        asked = set[Report]()
        for report in self._unlinked:
            self._link(report, (self._all_near(report) | self._links[report].keys()) - asked)
            asked.add(report)
        self._unlinked.clear()
        super().settle()
        # What has changed since is of no more use, and is not told from the rest.
        for remembered in (self._worths, self._content):
            if len(remembered) > _REMEMBERED:
                remembered.clear()

    def _all_near(self, report: Report) -> set[Report]:
        """All that a report may be linked with."""
        return {*self._near.before(report), *self._near.after(report.order, self._placed[report], report.joinable_us)}

    def _link(self, report: Report, others: Iterable[Report]) -> None:
        """Links a report, as it is now, with those of some others that it is of one thing with, and has what comes of it decided."""
        links = self._links[report]
        self._say(report)
        self._unsettled |= dict.fromkeys((report, *links))
        for other in others:
            if self._are_linked(report, other):
                links[other] = self._links[other][report] = None
            elif other in links:
                del links[other], self._links[other][report]

    def _are_linked(self, report: Report, other: Report) -> bool:
        first, second = (report, other) if report.order < other.order else (other, report)
        views = self._views[first], self._views[second]
        if second.order[0] > first.joinable_us or not self._model.may(*views):
            return False
        worth = self._model.worth(views)
        if worth > 0.0 and self._said.keys() >= {first, second}:
            self._worths[self._said[first], self._said[second]] = worth
        return worth > 0.0

    def _linked(self, report: Report, known: set[Report]) -> Iterable[Report]:
        return [other for other in self._links[report] if other not in known]

    def _say(self, report: Report) -> None:
        """Takes note that a report says something on which decisions rest, and did not before."""
        self._saying += 1
        self._said[report] = self._saying

    def _groups(self, part: list[Report]) -> list[list[Report]]:
        if len(part) == 2:  # linked, and so worth something together
            return [part]
        number = {report: index for index, report in enumerate(part)}
        links = [[number[other] for other in self._links[report] if other in number] for report in part]
        if len(part) <= _JOINTLY or sum(map(len, links)) <= self._few_links * len(part):
            said = [self._said[report] for report in part]
            groups = jointly([report.unit for report in part], links, self._worth_of(part, said), said, self._content)
        else:
            groups = self._in_order(part, links)
        return [[part[index] for index in group] for group in groups]

    def _worth_of(self, part: list[Report], said: Sequence[int]) -> Callable[[Group], float]:
        """What some reports of an episode are worth as one thing."""
        views, worths, model = [self._views[each] for each in part], self._worths, self._model
        here: dict[Group, float] = {}

        def worth(group: Group) -> float:
            found = here.get(group)
            if found is None:
                key = tuple([said[index] for index in group])
                found = worths.get(key)
                if found is None:
                    found = worths[key] = reckoned(group)
                here[group] = found
            return found

        def reckoned(group: Group) -> float:
            if len(group) < 2:
                return 0.0
            *some, last = [views[index] for index in group]
            if model.adds_up and len(some) > 1:
                before = worth(group[:-1])
                return before + model.joins(some, last) if before > -inf and all(model.may(each, last) for each in some) else -inf
            return model.worth([*some, last]) if all(model.may(*two) for two in combinations([*some, last], 2)) else -inf

        return worth

    def _in_order(self, part: list[Report], links: Links) -> list[Group]:
        views, model = [self._views[each] for each in part], self._model

        def joins(group: Group, index: int) -> float:
            members, view = [views[each] for each in group], views[index]
            return model.joins(members, view) if all(model.may(member, view) for member in members) else -inf

        said = [self._said[each] for each in part]
        before, chosen = self._chosen.get(part[0], ([], []))
        same = next(
            (index for index, (one, other) in enumerate(zip(said, before, strict=False)) if one != other), min(len(said), len(before))
        )
        groups, chosen = in_order(links, joins, chosen[:same])
        self._chosen[part[0]] = said, chosen
        return groups
