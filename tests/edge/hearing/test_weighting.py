"""The weightings against the table of IEC 61672-1:2013 (table 3), at every usual rate, within the tolerances of class 1."""

import numpy as np
import pytest
from parvis_edge.hearing.weighting import Weighting, analogue_db, sections
from scipy import signal

# Nominal frequency in hertz, A and C in decibels, and the class 1 acceptance limits above and below.
TABLE = (
    (10.0, -70.4, -14.3, 3.0, np.inf), (12.5, -63.4, -11.2, 2.5, np.inf), (16.0, -56.7, -8.5, 2.0, 4.0), (20.0, -50.5, -6.2, 2.0, 2.0),
    (25.0, -44.7, -4.4, 2.0, 1.5), (31.5, -39.4, -3.0, 1.5, 1.5), (40.0, -34.6, -2.0, 1.0, 1.0), (50.0, -30.2, -1.3, 1.0, 1.0),
    (63.0, -26.2, -0.8, 1.0, 1.0), (80.0, -22.5, -0.5, 1.0, 1.0), (100.0, -19.1, -0.3, 1.0, 1.0), (125.0, -16.1, -0.2, 1.0, 1.0),
    (160.0, -13.4, -0.1, 1.0, 1.0), (200.0, -10.9, 0.0, 1.0, 1.0), (250.0, -8.6, 0.0, 1.0, 1.0), (315.0, -6.6, 0.0, 1.0, 1.0),
    (400.0, -4.8, 0.0, 1.0, 1.0), (500.0, -3.2, 0.0, 1.0, 1.0), (630.0, -1.9, 0.0, 1.0, 1.0), (800.0, -0.8, 0.0, 1.0, 1.0),
    (1000.0, 0.0, 0.0, 0.7, 0.7), (1250.0, 0.6, 0.0, 1.0, 1.0), (1600.0, 1.0, -0.1, 1.0, 1.0), (2000.0, 1.2, -0.2, 1.0, 1.0),
    (2500.0, 1.3, -0.3, 1.0, 1.0), (3150.0, 1.2, -0.5, 1.0, 1.0), (4000.0, 1.0, -0.8, 1.0, 1.0), (5000.0, 0.5, -1.3, 1.5, 1.5),
    (6300.0, -0.1, -2.0, 1.5, 2.0), (8000.0, -1.1, -3.0, 1.5, 2.5), (10000.0, -2.5, -4.4, 2.0, 3.0), (12500.0, -4.3, -6.2, 2.0, 5.0),
    (16000.0, -6.6, -8.5, 2.5, 16.0), (20000.0, -9.3, -11.2, 3.0, np.inf),
)  # fmt: skip
RATES = (16_000, 22_050, 44_100, 48_000, 96_000)


def _exact_hz(nominal_hz: float) -> float:
    """The exact base-10 frequency of a nominal one, for which the table holds."""
    return float(1000.0 * 10.0 ** (round(10.0 * np.log10(nominal_hz / 1000.0)) / 10.0))


@pytest.mark.parametrize(("nominal_hz", "a_db", "c_db", "above_db", "below_db"), TABLE)
def test_the_formula_gives_the_table(nominal_hz: float, a_db: float, c_db: float, above_db: float, below_db: float) -> None:
    assert above_db > 0 < below_db
    assert float(analogue_db("A", _exact_hz(nominal_hz))) == pytest.approx(a_db, abs=0.051)
    assert float(analogue_db("C", _exact_hz(nominal_hz))) == pytest.approx(c_db, abs=0.051)
    assert float(analogue_db("Z", _exact_hz(nominal_hz))) == 0.0


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("weighting", ["A", "C", "Z"])
def test_the_filter_is_within_class_1_up_to_half_of_the_rate(weighting: Weighting, rate_hz: int) -> None:
    for nominal_hz, a_db, c_db, above_db, below_db in TABLE:
        if _exact_hz(nominal_hz) >= 0.98 * rate_hz / 2:
            continue
        _, response = signal.sosfreqz(sections(weighting, rate_hz), [2 * np.pi * _exact_hz(nominal_hz) / rate_hz])
        error_db = 20 * np.log10(abs(response[0])) - {"A": a_db, "C": c_db, "Z": 0.0}[weighting]
        # A third of the tolerance: the rest is the microphone's.
        assert -below_db / 3 - 0.05 <= error_db <= above_db / 3 + 0.05, f"{nominal_hz} Hz: {error_db:+.2f} dB"


@pytest.mark.parametrize("rate_hz", RATES)
def test_the_filter_follows_the_curve_where_a_bilinear_one_does_not(rate_hz: int) -> None:
    frequency_hz = 0.9 * rate_hz / 2
    _, response = signal.sosfreqz(sections("A", rate_hz), [2 * np.pi * frequency_hz / rate_hz])
    assert 20 * np.log10(abs(response[0])) == pytest.approx(float(analogue_db("A", frequency_hz)), abs=0.3)
    poles = -2 * np.pi * np.array([20.598997, 20.598997, 107.65265, 737.86223, 12194.217, 12194.217])
    bilinear = signal.bilinear_zpk([0.0] * 4, poles, 1.0, rate_hz)
    _, at = signal.freqz_zpk(*bilinear, [2 * np.pi * frequency_hz / rate_hz, 2 * np.pi * 1000.0 / rate_hz])
    assert 20 * np.log10(abs(at[0] / at[1])) < float(analogue_db("A", frequency_hz)) - 5.0


def test_a_rate_too_slow_is_refused() -> None:
    with pytest.raises(ValueError, match="4,000 Hz"):
        sections("A", 2_000)
