"""Looks: at which numbers of seeds a study is judged, and what it costs to judge it more than once.

Who adds seeds until a verdict falls looks at the claim again and again, and every look is a further chance of error. A
group-sequential design fixes the looks beforehand, here one after every seed from `first` to `last`, and makes each of
them stricter, so that the chance of a wrong verdict at *any* look is what was promised for all of them together. The
shape is that of Wang & Tsiatis (1987), written for p values: a look with n seeds may use a level in proportion to n²,
little where few seeds know little, nearly everything at the end. Between Pocock's equal levels (1977) and O'Brien &
Fleming's (1979), it decides large effects early and keeps most of the power of a fixed number of `last` seeds
(tests/benchmarks/stopping_rule.py measures both).

Known-variance boundaries are wrong for a handful of seeds: with 5 of them, Student's t is far from normal, and t
statistics of successive looks are not a Brownian motion. So the chance of crossing is computed for the t process itself
(as Jennison & Turnbull 1991 do, Biometrika 78): for normal x_1, x_2, ... with mean 0, R_n = sum(x) / sqrt(sum(x²)),
of which the t statistic is a function, is a Markov chain,

    R_{n+1} = R_n cos θ + sin θ,   θ of density proportional to cos^(n-1) θ on (-π/2, π/2), independent of R_n,

because the direction of (x_1 ... x_n) is independent of its length. One numerical integral per look gives the
probability of any pattern of crossings, whatever the scatter is; no spending function needs to be approximated.

The result is one function, from the smallest p value of any look, weighted, to a p value for all looks: a sequential
p value (Liu & Anderson 2008, JASA 103). It holds at every look at once, at the last one as well as at the one where
somebody stops, so it goes into Holm's procedure and into all-of claims like the p value of an ordinary test (Maurer &
Bretz 2013; Tamhane et al. 2021, Statistics in Medicine 40).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln, stdtr, stdtrit

from sngan.fields import require
from sweeps.statistics import FloatArray

# A look's level grows like the number of seeds to this power. 0 is Pocock's shape; 2 needs up to 2 seeds more than 0
# where effects are large, and has 9 percentage points more power at effects of one standard deviation.
_SHAPE = 2.0
_POINTS, _LOWEST = 80, -6.0  # values of R_n for which the chance of crossing is computed; normal deviates
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
# Levels of the last look. Below them the chance is in proportion to the level; above, a t statistic is below 1.
_LEVELS = np.exp(np.linspace(np.log(1e-5), np.log(0.15), 14))


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """A study is judged after every seed from `first` to `last`, numbers of seeds from 2 on; once, where they agree."""

    first: int
    last: int

    def __post_init__(self) -> None:
        """Refuse what has no t statistic, or no end. Raises InputError."""
        require(2 <= self.first <= self.last <= 1000, "looks", (self.first, self.last), "from 2 to 1000 seeds, upwards")

    @property
    def numbers_of_seeds(self) -> range:
        """The looks, in their order."""
        return range(self.first, self.last + 1)

    def p_value(self, p: FloatArray, num_seeds: int) -> FloatArray:
        """The one-sided p values over all looks of t tests that have the p values `p` at the look with `num_seeds`."""
        if self.first == self.last:
            return p
        logs, chances = _table(self.first, self.last)
        weighted = np.log(np.maximum(p, 1e-300)) - _log_weight(num_seeds, self.last)
        found = chances[0] + np.minimum(0.0, weighted - logs[0]) + _rise(weighted, logs, chances)
        return np.where(weighted > logs[-1], 1.0, np.exp(found))

    def level(self, alpha: float, num_seeds: int) -> float:
        """The one-sided level of the look with `num_seeds`, where `alpha` is promised for all looks together."""
        if self.first == self.last:
            return alpha
        logs, chances = _table(self.first, self.last)
        wanted = np.log(np.array(alpha))
        weighted = logs[0] + np.minimum(0.0, wanted - chances[0]) + _rise(wanted, chances, logs)
        return float(np.exp(weighted + _log_weight(num_seeds, self.last)))


# Judged once, with however many seeds there are: p values and levels are those of the test itself.
ONCE = Looks(first=2, last=2)


def crossing_chance(levels: FloatArray, first: int) -> float:
    """Probability that normal values of mean 0 have a one-sided t test below its level at any look.

    levels : one-sided, of the looks with first, first + 1, ... values; each at most 0.15, a t statistic above 1.
    """
    last = first + len(levels) - 1
    bounds = {n: _bound(n, level) for n, level in zip(range(first, last + 1), levels, strict=True)}
    grid, log_chance = np.array([0.0]), np.array([-np.inf])  # after the last look
    for n in range(last - 1, first - 1, -1):
        pieces = _pieces(n, bounds[n], bounds[n + 1])
        found = [np.log(_any_later(_from_normal(piece, n), n, bounds[n + 1], grid, log_chance)) for piece in pieces]
        grid, log_chance = (np.concatenate([_finer(part) for part in parts]) for parts in (pieces, found))
    # R of the first look is sqrt(n) sin φ, with φ of density proportional to cos^(n-2) φ; below its bound we go on.
    end = np.arcsin(bounds[first] / np.sqrt(first))
    angles, widths = _nodes(np.array([-np.pi / 2]), np.array([end]))
    later = np.exp(np.interp(_as_normal(np.sqrt(first) * np.sin(angles), first), grid, log_chance))
    return float(levels[0] + (widths * _density(angles, first - 1) * later).sum())


@lru_cache(maxsize=16)
def _table(first: int, last: int) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the last look's level, and of the chance that any look crosses; both increasing, [many]."""
    weights = (np.arange(first, last + 1) / last) ** _SHAPE
    chances = np.array([crossing_chance(level * weights, first) for level in _LEVELS])
    return _finer(np.log(_LEVELS)), _finer(np.log(chances))


def _rise(at: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """How much y(x) rises from the table's first entry to `at`: nothing before it."""
    return np.asarray(np.interp(at, x, y) - y[0])


def _log_weight(num_seeds: int, last: int) -> float:
    return _SHAPE * float(np.log(num_seeds / last))


def _bound(n: int, level: float) -> float:
    """The value of R_n at which the t test of n values has this one-sided level."""
    t = -float(stdtrit(n - 1.0, level))
    return float(np.sqrt(n) * t / np.sqrt(n - 1 + t * t))


def _pieces(n: int, bound: float, next_bound: float) -> list[FloatArray]:
    """Values of R_n that have not crossed, as normal deviates: there the logarithm of a chance is smooth.

    Only from sqrt(next_bound² - 1) on can the next value cross, with a chance that begins there like a square root.
    """
    end, bend = _as_normal(np.array([bound, np.sqrt(next_bound**2 - 1)]), n)
    left = np.linspace(_LOWEST, min(bend, end), _POINTS)
    return [left] if bend >= end else [left, bend + (end - bend) * np.linspace(0, 1, _POINTS // 2) ** 2]


def _finer(values: FloatArray) -> FloatArray:
    """More values of a smooth function of the index, by monotone cubic interpolation."""
    from scipy.interpolate import PchipInterpolator  # half a second, and most commands need none

    index = np.arange(len(values))
    return np.asarray(PchipInterpolator(index, values)(np.linspace(0, index[-1], 20 * len(index))))


def _as_normal(r: FloatArray, n: int) -> FloatArray:
    """R_n as a nearly normal deviate, by Wallace's approximation of Student's t (only to interpolate in)."""
    return np.asarray(np.sign(r) * np.sqrt(-(n - 1) * np.log1p(-np.minimum(r**2 / n, 1 - 1e-15))))


def _from_normal(z: FloatArray, n: int) -> FloatArray:
    """The inverse of `_as_normal`."""
    return np.asarray(np.sign(z) * np.sqrt(-n * np.expm1(-(z**2) / (n - 1))))


def _any_later(at: FloatArray, n: int, bound: float, grid: FloatArray, log_chance: FloatArray) -> FloatArray:
    """Probability of crossing after n, from R_n = `at`; of crossing after n + 1 its logarithm is known on `grid`."""
    # R cos θ + sin θ exceeds the bound for tan θ between the roots of a quadratic equation, or nowhere.
    root = np.sqrt(np.maximum(1 + at**2 - bound**2, 0.0))
    reach = (at > 0) & (root > 0)
    low, high = (np.where(reach, (at + sign * bound * root) / (bound**2 - 1), 0.0) for sign in (-1, 1))
    now = stdtr(n, high * np.sqrt(n)) - stdtr(n, low * np.sqrt(n))
    later = np.zeros_like(at)
    for start, end in ((np.full_like(at, -np.pi / 2), np.arctan(low)), (np.arctan(high), np.full_like(at, np.pi / 2))):
        angles, widths = _nodes(start, end)
        new = at[:, None] * np.cos(angles) + np.sin(angles)
        then = np.exp(np.interp(_as_normal(new, n + 1), grid, log_chance))
        later += (widths * _density(angles, n) * then).sum(axis=1)
    return np.asarray(np.maximum(now + later, 1e-30))  # its logarithm shall be smooth


def _nodes(start: FloatArray, end: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights of the intervals from `start` to `end`, [K] -> [K, nodes]."""
    half = (end - start)[:, None] / 2
    return np.asarray((start + end)[:, None] / 2 + half * _NODES), np.asarray(half * _WEIGHTS)


def _density(angles: FloatArray, n: int) -> FloatArray:
    """Density of the angle whose tangent, times sqrt(n), has Student's t distribution with n degrees of freedom."""
    scale = np.exp(gammaln((n + 1) / 2) - gammaln(n / 2)) / np.sqrt(np.pi)
    return np.asarray(scale * np.cos(angles) ** (n - 1))
