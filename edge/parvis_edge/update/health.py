"""Whether a model that has just been put in does well, against the one before. Pure."""

from __future__ import annotations

from dataclasses import dataclass

#: A trial lasts so long, and until the model has been run so often: a fault that shows at every hundredth picture is seen.
TRIAL_S = 600.0
LEAST_RUNS = 100
#: Given back where a run takes so many times as long as before. A model may be slower and good; beyond this a unit that had half of a
#: core to spare has none.
MOST_SLOWER = 4.0
#: And has done so for so long: other work on the machine makes a run slow for some seconds, and a model that is too slow stays so.
SLOW_S = 60.0
#: And where so much more of what came was dropped, as a share, because judging could not keep up.
MOST_DROPPED = 0.2
#: Event rates may differ by this factor: a quarter of an hour and the next differ so much on a street where nothing was changed.
RATE_FACTOR = 3.0
#: Beyond that factor by chance no more often than this: about one update in a million units would be given back wrongly.
CHANCE = 1e-6
#: Rates before are compared only if they were seen for so long.
LEAST_BEFORE_S = 600.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """Of one sense, counted since its start, or over a stretch of time.

    Attributes:
        time_s: How long, seconds.
        runs: Of the model.
        events: That began.
        items: Pictures or blocks of sound that came.
        dropped: Of these, not judged for want of time.
        inference_ms: A smoothed time of one run; None before the first.
        failure: What went wrong; None if nothing did.
    """

    time_s: float = 0.0
    runs: int = 0
    events: int = 0
    items: int = 0
    dropped: int = 0
    inference_ms: float | None = None
    failure: str | None = None

    def since(self, before: Vitals) -> Vitals:
        """What has come since."""
        return Vitals(
            self.time_s - before.time_s,
            self.runs - before.runs,
            self.events - before.events,
            self.items - before.items,
            self.dropped - before.dropped,
            self.inference_ms,
            self.failure,
        )


def is_slow(before: Vitals, after: Vitals) -> bool:
    """Whether a run takes too long at this moment."""
    if after.runs < LEAST_RUNS or not before.inference_ms or not after.inference_ms:
        return False
    return after.inference_ms > MOST_SLOWER * before.inference_ms


def fault(before: Vitals, after: Vitals, slow_s: float = 0.0) -> str | None:
    """Why a model has to be given back; None if nothing speaks against it.

    Args:
        before: With the old model: the last hour, or less.
        after: Since the exchange.
        slow_s: For how long it has been too slow without a pause, seconds.
    """
    if after.failure is not None:
        return after.failure
    if slow_s >= SLOW_S:
        return f"a run takes {after.inference_ms:.1f} ms, {before.inference_ms:.1f} ms before"
    if after.runs >= LEAST_RUNS:
        share_before, share = _dropped(before), _dropped(after)
        if share > share_before + MOST_DROPPED:
            return f"{share:.0%} of what came was dropped, {share_before:.0%} before"
    if before.time_s >= LEAST_BEFORE_S and after.time_s > 0.0:
        return _jump(before, after)
    return None


def is_over(after: Vitals) -> bool:
    """Whether a trial without a fault has lasted long enough."""
    return after.time_s >= TRIAL_S and after.runs >= LEAST_RUNS


def _dropped(vitals: Vitals) -> float:
    return vitals.dropped / vitals.items if vitals.items else 0.0


def _jump(before: Vitals, after: Vitals) -> str | None:
    """Whether events come far more often, or far more rarely.

    Given their sum, two Poisson counts share it as a binomial, by time times rate (Przyborowski and Wilenski 1940): how improbable is such
    a share, had the rate changed by :data:`RATE_FACTOR` at most?
    """
    # Scipy takes a moment to import, and only an update needs it.
    from scipy.stats import binom

    both = before.events + after.events
    more = RATE_FACTOR * after.time_s / (RATE_FACTOR * after.time_s + before.time_s)
    fewer = after.time_s / (after.time_s + RATE_FACTOR * before.time_s)
    words = f"{after.events} events in {after.time_s / 60:.0f} min, {before.events} in {before.time_s / 60:.0f} min before"
    if float(binom.sf(after.events - 1, both, more)) < CHANCE:
        return f"events come too often: {words}"
    if float(binom.cdf(after.events, both, fewer)) < CHANCE:
        return f"events come too rarely: {words}"
    return None
