"""Distribution functions: Student's t, chi-square, F, gamma, binomial, Poisson and negative binomial.

Each comes in up to three forms, as in SciPy: the lower tail (``fdtr``), the upper tail (``fdtrc``) and an inverse (``fdtri``). The
derivative of a tail is the density or minus the density, that of an inverse one over it. The derivative in a parameter has no
closed form; on a parameter that counts, it is locally constant.
"""

from __future__ import annotations

from typing import Any

from gpugrad.families import zero
from gpugrad.ops.elementwise import exp, floor, log1p, sqrt
from gpugrad.ops.special.beta import beta_density, log_beta
from gpugrad.ops.special.family import no_rule, special
from gpugrad.ops.special.gamma import poisson


def _distribution(name: str, formula: str, **rules: Any) -> Any:
    """``special``, with :func:`no_rule` for the operands whose rule is None."""
    return special(name, formula, **{x: no_rule(name, x) if rule is None else rule for x, rule in rules.items()})


# Derivatives of the lower tails -------------------------------------------------------------------------------------------


def _student(df: Any, t: Any) -> Any:
    return exp(-0.5 * (df + 1) * log1p(t * t / df) - log_beta(0.5, 0.5 * df)) / sqrt(df)


def _chi_square(v: Any, x: Any) -> Any:
    return 0.5 * poisson(0.5 * v - 1, 0.5 * x)


def _f(dfn: Any, dfd: Any, x: Any) -> Any:
    total = dfd + dfn * x
    return beta_density(0.5 * dfn, 0.5 * dfd, dfn * x / total, dfd / total) * (dfn / total) * (dfd / total)


def _binomial(k: Any, n: Any, p: Any) -> Any:
    k = floor(k)
    return -beta_density(k + 1, n - k, p, 1 - p)


def _poisson(k: Any, m: Any) -> Any:
    return -poisson(floor(k), m)


def _negative_binomial(k: Any, n: Any, p: Any) -> Any:
    return beta_density(n, k + 1, p, 1 - p)


# Continuous ---------------------------------------------------------------------------------------------------------------

stdtr = _distribution(
    "stdtr",
    "The distribution function of Student's t with df degrees of freedom",
    df=None,
    t=lambda g, df, t: g * _student(df, t),
)
stdtrit = _distribution("stdtrit", "The inverse of stdtr(df, t) in t", df=None, p=lambda g, df, out: g / _student(df, out))
chdtr = _distribution(
    "chdtr",
    "The distribution function of chi-square with v degrees of freedom: gammainc(v / 2, x / 2)",
    v=None,
    x=lambda g, v, x: g * _chi_square(v, x),
)
chdtrc = _distribution("chdtrc", "1 - chdtr(v, x)", v=None, x=lambda g, v, x: -g * _chi_square(v, x))
chdtri = _distribution("chdtri", "The inverse of chdtrc(v, x) in x", v=None, p=lambda g, v, out: -g / _chi_square(v, out))
fdtr = _distribution(
    "fdtr",
    "The distribution function of F: betainc(dfn / 2, dfd / 2, dfn x / (dfd + dfn x))",
    dfn=None,
    dfd=None,
    x=lambda g, dfn, dfd, x: g * _f(dfn, dfd, x),
)
fdtrc = _distribution("fdtrc", "1 - fdtr(dfn, dfd, x)", dfn=None, dfd=None, x=lambda g, dfn, dfd, x: -g * _f(dfn, dfd, x))
fdtri = _distribution(
    "fdtri", "The inverse of fdtr(dfn, dfd, x) in x", dfn=None, dfd=None, p=lambda g, dfn, dfd, out: g / _f(dfn, dfd, out)
)
gdtr = _distribution(
    "gdtr",
    "The distribution function of the gamma distribution of rate a and shape b: gammainc(b, a x)",
    a=lambda g, a, b, x: g * x * poisson(b - 1, a * x),
    b=None,
    x=lambda g, a, b, x: g * a * poisson(b - 1, a * x),
)
gdtrc = _distribution(
    "gdtrc",
    "1 - gdtr(a, b, x)",
    a=lambda g, a, b, x: -g * x * poisson(b - 1, a * x),
    b=None,
    x=lambda g, a, b, x: -g * a * poisson(b - 1, a * x),
)
gdtrix = _distribution(
    "gdtrix",
    "The inverse of gdtr(a, b, x) in x",
    a=lambda g, a, out: -g * out / a,
    b=None,
    p=lambda g, a, b, out: g / (a * poisson(b - 1, a * out)),
)

# Discrete -----------------------------------------------------------------------------------------------------------------

bdtr = _distribution(
    "bdtr",
    "The probability of at most floor(k) successes in n trials of probability p",
    k=zero,
    n=zero,
    p=lambda g, k, n, p: g * _binomial(k, n, p),
)
bdtrc = _distribution("bdtrc", "1 - bdtr(k, n, p)", k=zero, n=zero, p=lambda g, k, n, p: -g * _binomial(k, n, p))
bdtri = _distribution(
    "bdtri", "The inverse of bdtr(k, n, p) in p", k=zero, n=zero, y=lambda g, k, n, out: g / _binomial(k, n, out)
)
pdtr = _distribution(
    "pdtr",
    "The probability of at most floor(k) events, of which m are expected, by Poisson's distribution",
    k=zero,
    m=lambda g, k, m: g * _poisson(k, m),
)
pdtrc = _distribution("pdtrc", "1 - pdtr(k, m)", k=zero, m=lambda g, k, m: -g * _poisson(k, m))
pdtri = _distribution("pdtri", "The inverse of pdtr(k, m) in m", k=zero, y=lambda g, k, out: g / _poisson(k, out))
nbdtr = _distribution(
    "nbdtr",
    "The probability of at most k failures before the n-th success, of probability p each",
    k=zero,
    n=zero,
    p=lambda g, k, n, p: g * _negative_binomial(k, n, p),
)
nbdtrc = _distribution("nbdtrc", "1 - nbdtr(k, n, p)", k=zero, n=zero, p=lambda g, k, n, p: -g * _negative_binomial(k, n, p))
nbdtri = _distribution(
    "nbdtri",
    "The inverse of nbdtr(k, n, p) in p",
    k=zero,
    n=zero,
    y=lambda g, k, n, out: g / _negative_binomial(k, n, out),
)
