"""gg.special: special functions, with SciPy's names (``scipy.special``).

Each has a gradient, of any order; where there is no formula for that of an operand, its documentation says so and a backward pass
that needs it raises GraphError. SciPy looks for this module on the namespaces of arrays that it does not know.
"""

import math
from typing import Any

from gpugrad.arrays.explain import explaining as _explaining
from gpugrad.errors import ShapeError as _ShapeError
from gpugrad.nn.functional.softmax import log_softmax as _log_softmax
from gpugrad.nn.functional.softmax import softmax as _softmax
from gpugrad.ops.elementwise import expm1, log1p
from gpugrad.ops.shape import moveaxis as _moveaxis
from gpugrad.ops.shape import normalize_axis as _normalize_axis
from gpugrad.ops.shape import reshape as _reshape
from gpugrad.ops.special.airy import airy, modstruve, struve
from gpugrad.ops.special.bessel import (
    h1vp,
    h2vp,
    hankel1,
    hankel1e,
    hankel2,
    hankel2e,
    i0,
    i0e,
    i1,
    i1e,
    iv,
    ive,
    ivp,
    j0,
    j1,
    jn,
    jv,
    jve,
    jvp,
    k0,
    k0e,
    k1,
    k1e,
    kn,
    kv,
    kve,
    kvp,
    y0,
    y1,
    yn,
    yv,
    yve,
    yvp,
)  # fmt: skip
from gpugrad.ops.special.beta import beta, betainc, betaincc, betainccinv, betaincinv, betaln, binom, poch
from gpugrad.ops.special.distributions import (
    bdtr,
    bdtrc,
    bdtri,
    chdtr,
    chdtrc,
    chdtri,
    fdtr,
    fdtrc,
    fdtri,
    gdtr,
    gdtrc,
    gdtrix,
    nbdtr,
    nbdtrc,
    nbdtri,
    pdtr,
    pdtrc,
    pdtri,
    stdtr,
    stdtrit,
)  # fmt: skip
from gpugrad.ops.special.elementary import (
    cbrt,
    cosdg,
    cosm1,
    cotdg,
    exp2,
    exp10,
    exprel,
    powm1,
    radian,
    sinc,
    sindg,
    tandg,
)  # fmt: skip
from gpugrad.ops.special.elliptic import ellipe, ellipeinc, ellipk, ellipkinc, ellipkm1, elliprc, elliprf
from gpugrad.ops.special.entropy import entr, kl_div, rel_entr, xlog1py, xlogy
from gpugrad.ops.special.error import (
    dawsn,
    erf,
    erfc,
    erfcinv,
    erfcx,
    erfi,
    erfinv,
    log_ndtr,
    ndtr,
    ndtri,
    ndtri_exp,
    owens_t,
    wofz,
)  # fmt: skip
from gpugrad.ops.special.gamma import (
    digamma,
    gamma,
    gammainc,
    gammaincc,
    gammainccinv,
    gammaincinv,
    gammaln,
    gammasgn,
    loggamma,
    multigammaln,
    polygamma,
    psi,
    rgamma,
)  # fmt: skip
from gpugrad.ops.special.hypergeometric import hyp0f1, hyp1f1, hyp2f1, hyperu, log_wright_bessel, wright_bessel
from gpugrad.ops.special.integrals import exp1, expi, expn, fresnel, shichi, sici, spence
from gpugrad.ops.special.lambert import lambertw, wrightomega
from gpugrad.ops.special.logistic import expit, log_expit, logit, softplus
from gpugrad.ops.special.orthogonal import (
    eval_chebyt,
    eval_chebyu,
    eval_gegenbauer,
    eval_genlaguerre,
    eval_hermite,
    eval_hermitenorm,
    eval_jacobi,
    eval_laguerre,
    eval_legendre,
)  # fmt: skip
from gpugrad.ops.special.reductions import inexact_array as _inexact_array
from gpugrad.ops.special.reductions import logsumexp
from gpugrad.ops.special.spherical import spherical_in, spherical_jn, spherical_kn, spherical_yn
from gpugrad.ops.special.transforms import boxcox, boxcox1p, huber, inv_boxcox, inv_boxcox1p, pseudo_huber
from gpugrad.ops.special.zeta import zeta, zetac

__all__ = [
    "airy", "bdtr", "bdtrc", "bdtri", "beta", "betainc", "betaincc", "betainccinv", "betaincinv", "betaln", "binom",
    "boxcox", "boxcox1p", "cbrt", "chdtr", "chdtrc", "chdtri", "cosdg", "cosm1", "cotdg", "dawsn", "digamma", "ellipe",
    "ellipeinc", "ellipk", "ellipkinc", "ellipkm1", "elliprc", "elliprf", "entr", "erf", "erfc", "erfcinv", "erfcx", "erfi",
    "erfinv", "eval_chebyt", "eval_chebyu", "eval_gegenbauer", "eval_genlaguerre", "eval_hermite", "eval_hermitenorm",
    "eval_jacobi", "eval_laguerre", "eval_legendre", "exp1", "exp2", "exp10", "expi", "expit", "expm1", "expn", "exprel",
    "fdtr", "fdtrc", "fdtri", "fresnel", "gamma", "gammainc", "gammaincc", "gammainccinv", "gammaincinv", "gammaln",
    "gammasgn", "gdtr", "gdtrc", "gdtrix", "h1vp", "h2vp", "hankel1", "hankel1e", "hankel2", "hankel2e", "huber", "hyp0f1", "hyp1f1",
    "hyp2f1", "hyperu", "i0", "i0e", "i1", "i1e", "inv_boxcox", "inv_boxcox1p", "iv", "ive", "ivp", "j0", "j1", "jn", "jv", "jve", "jvp",
    "k0", "k0e", "k1", "k1e", "kl_div", "kn", "kv", "kve", "kvp", "lambertw", "log1p", "log_expit", "log_ndtr", "log_softmax",
    "log_wright_bessel", "loggamma", "logit", "logsumexp", "modstruve", "multigammaln", "nbdtr", "nbdtrc", "nbdtri", "ndtr",
    "ndtri", "ndtri_exp", "owens_t", "pdtr", "pdtrc", "pdtri", "poch", "polygamma", "powm1", "pseudo_huber", "psi",
    "radian", "rel_entr", "rgamma", "shichi", "sici", "sinc", "sindg", "softmax", "softplus", "spence", "spherical_in",
    "spherical_jn", "spherical_kn", "spherical_yn", "stdtr", "stdtrit", "struve", "tandg", "wofz", "wright_bessel",
    "wrightomega", "xlog1py", "xlogy", "y0", "y1", "yn", "yv", "yve", "yvp", "zeta", "zetac",
]  # fmt: skip


_Axes = int | tuple[int, ...] | None


@_explaining
def softmax(x: Any, axis: _Axes = None) -> Any:
    """exp(x) / sum(exp(x)) over `axis` (all axes for None); the largest element is subtracted first, so nothing overflows.

    Shapes: any, and the result has the same. Dtypes: real floating; integers are taken as float64.
    Raises ShapeError if an axis is out of range or has no elements.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.softmax.html
    """
    return _over("softmax", _softmax, x, axis)


@_explaining
def log_softmax(x: Any, axis: _Axes = None) -> Any:
    """log(softmax(x, axis)), accurate where softmax is nearly 0 or 1.

    Shapes: any, and the result has the same. Dtypes: real floating; integers are taken as float64.
    Raises ShapeError if an axis is out of range or has no elements.
    Source: https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.log_softmax.html
    """
    return _over("log_softmax", _log_softmax, x, axis)


def _over(name: str, function: Any, x: Any, axis: _Axes) -> Any:
    """`function` of one axis, of several taken as one."""
    x = _inexact_array(x)
    given = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(_normalize_axis(i, x.ndim, name) for i in given)
    if len(set(axes)) < len(axes):
        raise _ShapeError(f"{name}: axis is {axis} for an array of {x.ndim} dimensions, expected each of them once")
    if len(axes) == 1:
        return function(x, axes[0])
    last = tuple(range(-len(axes), 0))
    moved = _moveaxis(x, axes, last)
    kept = x.ndim - len(axes)
    flat = _reshape(moved, (*moved.shape[:kept], math.prod(moved.shape[kept:])))
    return _moveaxis(_reshape(function(flat, -1), moved.shape), last, axes)
