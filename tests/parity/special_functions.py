"""What is compared of gg.special: what torch.special and jax.scipy.special have, too, and can differentiate."""

from __future__ import annotations

from collections.abc import Iterator

from parity.row import Function, Row, by_name, numbered, rows

from gpugrad.check.records.case import Call, Draw, above_one, call, positive, real, unit

WITHOUT: dict[str, dict[str, str]] = {
    "torch": {
        **dict.fromkeys(
            """beta betainc betaln boxcox boxcox1p dawsn exp1 expi expn fresnel gamma hyp1f1 kl_div owens_t poch rel_entr sici
            spence""".split(),
            "it has no such function",
        ),
        **dict.fromkeys(
            ["gammainc", "gammaincc"], "they take no Python number, and have no derivative along the first operand"
        ),
        "digamma": "its derivative is right to 1e-9 only",
    },
    "jax": dict.fromkeys(["exp2", "sinc"], "they stand in jax.numpy, not among its special functions"),
}
"""By library: what it is not compared on, and why."""


def probability(*shape: int) -> Draw:
    """From [0.1, 0.9]."""
    return Draw(lambda rng, s: rng.uniform(0.1, 0.9, s), shape)


def special(names: str, *calls: Call, **others: Function) -> Iterator[Row]:
    for name in names.split():
        skipped = dict.fromkeys(library for library, without in WITHOUT.items() if name in without)
        yield from rows(f"special.{name}", *calls, complex="real", **{**skipped, **others})


def along_dim(name: str) -> Function:
    return lambda xp, x, axis: by_name(f"special.{name}")(xp, x, dim=axis)


SPECIAL: list[Row] = numbered(
    [
        *special("dawsn erf erfc erfcx expit i0 i0e i1 i1e log_ndtr ndtr sinc exp2", call(real(2, 5))),
        *special("digamma entr exp1 expi gamma gammaln", call(positive(2, 5))),
        *special("erfinv", call(unit(2, 5))),
        *special("logit ndtri", call(probability(2, 5))),
        *special("spence", call(probability(2, 5))),  # above 1 JAX's derivative is nan at some arguments, as at 1.3
        *special("fresnel sici", call(positive(2, 3))),
        *special("owens_t", call(real(2, 3), real(3))),
        *special("expn", call(2, positive(2, 3))),
        *special("betainc", call(2.5, 1.5, probability(2, 3))),
        *special("hyp1f1", call(1.5, 2.5, real(2, 3))),
        *special("boxcox boxcox1p", call(positive(2, 3), real(3))),
        *special("beta betaln kl_div poch rel_entr xlog1py xlogy", call(positive(2, 3), positive(3))),
        *special("gammainc gammaincc", call(2.5, positive(2, 3))),
        *special("logsumexp", call(real(2, 3), axis=1), torch=along_dim("logsumexp")),
        *special("softmax", call(real(2, 3), axis=1), torch=along_dim("softmax")),
        *special("log_softmax", call(real(2, 3), axis=1), torch=along_dim("log_softmax")),
        *special("multigammaln", call(above_one(2, 3), 3)),
        *special("polygamma", call(2, positive(2, 3))),
        *special("zeta", call(3.5, positive(2, 3))),
    ]
)
