"""Convolution and attention in NumPy, in float64, and what nvidia-cudnn-frontend's nodes refuse."""

import numpy as np

import cudnn


def _wide(x, tf32=False):
    """x as float64, behind the 10 bits of mantissa that TF32 reads."""
    if tf32:
        x = (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    return x.astype(np.float64)


# Convolution ----------------------------------------------------------------------------------------------------------


def _taps(shape, kernel, counts, padding, stride, dilation):
    """The shape of an image with its padding, the image's place in it, and the windows of each tap of the kernel."""
    padded = tuple(n + 2 * p for n, p in zip(shape, padding, strict=True))
    inner = (..., *(slice(p, p + n) for n, p in zip(shape, padding, strict=True)))
    windows = {}
    for tap in np.ndindex(*kernel):
        windows[tap] = (
            ...,
            *(slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in zip(tap, dilation, stride, counts, strict=True)),
        )
    return padded, inner, windows


def _groups(x, channels):
    """(N, C, ...) -> (N, groups, C / groups, ...); the number of groups follows from the shapes, as in cuDNN."""
    return x.reshape(x.shape[0], x.shape[1] // channels, channels, *x.shape[2:])


def conv_fprop(dims, tf32, image, weight, padding, stride, dilation, **_):
    """y[n, k, o] = sum over c, t of x[n, c, o * stride + t * dilation - padding] * w[k, c, t]."""
    x, w = _wide(image, tf32), _wide(weight, tf32)
    padded, inner, windows = _taps(x.shape[2:], w.shape[2:], dims[0][2:], padding, stride, dilation)
    full = np.zeros((*x.shape[:2], *padded))
    full[inner] = x
    groups = x.shape[1] // w.shape[1]
    w = w.reshape(groups, -1, *w.shape[1:])
    out = sum(np.einsum("ngc...,gkc->ngk...", _groups(full[at], w.shape[2]), w[(..., *tap)]) for tap, at in windows.items())
    return [out.reshape(dims[0])]


def conv_dgrad(dims, tf32, loss, filter, padding, stride, dilation, **_):
    """The gradient of the image."""
    g, w = _wide(loss, tf32), _wide(filter, tf32)
    padded, inner, windows = _taps(dims[0][2:], w.shape[2:], g.shape[2:], padding, stride, dilation)
    groups = dims[0][1] // w.shape[1]
    w = w.reshape(groups, -1, *w.shape[1:])
    full = np.zeros((*dims[0][:2], *padded))
    for tap, at in windows.items():
        part = np.einsum("ngk...,gkc->ngc...", _groups(g, g.shape[1] // groups), w[(..., *tap)])
        full[at] += part.reshape(g.shape[0], -1, *g.shape[2:])
    return [full[inner]]


def conv_wgrad(dims, tf32, image, loss, padding, stride, dilation, **_):
    """The gradient of the weight."""
    x, g = _wide(image, tf32), _wide(loss, tf32)
    padded, inner, windows = _taps(x.shape[2:], dims[0][2:], g.shape[2:], padding, stride, dilation)
    full = np.zeros((*x.shape[:2], *padded))
    full[inner] = x
    groups = x.shape[1] // dims[0][1]
    g = _groups(g, g.shape[1] // groups).reshape(g.shape[0], groups, g.shape[1] // groups, -1)
    out = np.zeros(dims[0])
    for tap, at in windows.items():
        window = _groups(full[at], dims[0][1])
        window = window.reshape(*window.shape[:3], -1)
        out[(..., *tap)] = np.einsum("ngcp,ngkp->gkc", window, g).reshape(dims[0][:2])
    return [out]


def _check_convolution(options, results):
    """node/conv_fprop.h, conv_dgrad.h, conv_wgrad.h: pre_validate_node; dimensions of results are set, so none is inferred."""
    axes = len(results[0].dim) - 2
    for name in ("padding", "stride", "dilation"):
        if len(options[name]) != axes or axes < 2:
            raise RuntimeError(f"{name} {options[name]} does not fit {axes} spatial axes")
    x, w, y = {
        "image weight": lambda: (options["image"], options["weight"], results[0]),
        "loss filter": lambda: (results[0], options["filter"], options["loss"]),
        "image loss": lambda: (options["image"], results[0], options["loss"]),
    }[" ".join(list(options)[:2])]()
    if x.dim[0] != y.dim[0] or y.dim[1] != w.dim[0] or x.dim[1] % w.dim[1] or w.dim[0] % (x.dim[1] // w.dim[1]):
        raise RuntimeError(f"channels of {x.dim}, {w.dim} and {y.dim} do not fit")
    for n, k, m, p, s, d in zip(
        x.dim[2:], w.dim[2:], y.dim[2:], *(options[o] for o in ("padding", "stride", "dilation")), strict=True
    ):
        if m != (n + 2 * p - d * (k - 1) - 1) // s + 1:
            raise RuntimeError(f"sizes of {x.dim}, {w.dim} and {y.dim} do not fit")


# Attention ------------------------------------------------------------------------------------------------------------


def _scores(q, k, bias, attn_scale, right):
    """float64 scores, with heads of the key repeated."""
    k = np.repeat(_wide(k), q.shape[1] // k.shape[1], axis=1)
    scores = _wide(q) @ k.swapaxes(-1, -2) * attn_scale
    if bias is not None:
        scores = scores + _wide(bias)
    if right is not None:  # column <= row + right, from the top left
        scores = np.where(np.arange(scores.shape[3]) <= np.arange(scores.shape[2])[:, None] + right, scores, -np.inf)
    return scores


def sdpa(dims, tf32, q, k, v, attn_scale, bias, diagonal_band_right_bound, **_):
    """The result, and max + log(sum(exp(scores - max))) for every row. A row that is all -inf gives nan."""
    scores = _scores(q, k, bias, attn_scale, diagonal_band_right_bound)
    with np.errstate(invalid="ignore", divide="ignore"):
        peak = scores.max(axis=-1, keepdims=True)
        e = np.exp(scores - peak)
        total = e.sum(axis=-1, keepdims=True)
        return [e / total @ np.repeat(_wide(v), q.shape[1] // v.shape[1], axis=1), peak + np.log(total)]


def sdpa_backward(dims, tf32, q, k, v, o, dO, stats, attn_scale, bias, diagonal_band_right_bound, **_):
    """From the probabilities exp(scores - stats)."""
    with np.errstate(invalid="ignore"):
        p = np.exp(_scores(q, k, bias, attn_scale, diagonal_band_right_bound) - stats)
    g, heads = _wide(dO), q.shape[1]
    kk, vv = (np.repeat(_wide(x), heads // x.shape[1], axis=1) for x in (k, v))
    ds = p * (g @ vv.swapaxes(-1, -2) - (g * _wide(o)).sum(axis=-1, keepdims=True)) * attn_scale

    def shared(x, like):
        return x.reshape(like.shape[0], like.shape[1], -1, *x.shape[2:]).sum(axis=2)

    return [ds @ kk, shared(ds.swapaxes(-1, -2) @ _wide(q), k), shared(p.swapaxes(-1, -2) @ g, v)]


def _check_attention(options, results):
    """node/sdpa_support_surface.h (forward) and node/scaled_dot_product_flash_attention.h (backward), for half precision."""
    q, k, v, bias = (options[name] for name in ("q", "k", "v", "bias"))
    backward = "dO" in options
    if type(options["attn_scale"]) is not float:  # python/pygraph/sdpa.cpp: anything else must be a tensor
        raise RuntimeError("Unable to cast Python instance")
    if not isinstance(options["diagonal_alignment"], cudnn.diagonal_alignment):
        raise TypeError("incompatible function arguments")
    if options["diagonal_band_right_bound"] is not None and type(options["diagonal_band_right_bound"]) is not int:
        raise RuntimeError("diagonal_band_right_bound must be an int (or None)")
    rows = [q, k, v, results[0], *((options["o"], options["dO"], *results[1:]) if backward else ())]
    stats = options["stats"] if backward else results[1]
    if any(len(x.dim) != 4 for x in (*rows, stats)):
        raise RuntimeError("The dim is invalid")
    if any(x.stride[3] != 1 for x in rows):
        raise cudnn.cudnnGraphNotSupportedError(
            "The stride for the last dimension corresponding to the embedding size per head should be 1"
        )
    if (
        any(x.data_type not in (cudnn.data_type.HALF, cudnn.data_type.BFLOAT16) for x in rows)
        or len({x.data_type for x in rows}) > 1
    ):
        raise cudnn.cudnnGraphNotSupportedError("Unsupported data type")
    if stats.data_type is not cudnn.data_type.FLOAT or stats.dim != [*q.dim[:3], 1]:
        raise RuntimeError(f"stats {stats.dim}")
    if q.dim[1] % k.dim[1] or q.dim[1] % v.dim[1]:
        raise cudnn.cudnnGraphNotSupportedError("For group-query attention, number of heads for key and query must be a factor")
    if q.dim[3] % 8 or v.dim[3] % 8:
        raise cudnn.cudnnGraphNotSupportedError("hidden_dim should be multiple of 8")
    if backward and max(q.dim[3], v.dim[3]) > 128:  # of GPUs before Hopper
        raise cudnn.cudnnGraphNotSupportedError(
            "Num hidden_dim should be less than or equal to 128 and hidden_dim should be multiple of 8"
        )
    if backward and q.dim[2] == k.dim[2] == 1:
        raise cudnn.cudnnGraphNotSupportedError("s_q = s_kv = 1 is not supported.")
    expected = {"o": [*q.dim[:3], v.dim[3]]}
    outs = [q.dim, k.dim, v.dim] if backward else [expected["o"], [*q.dim[:3], 1]]
    if [x.dim for x in results] != outs or k.dim[2] != v.dim[2] or (backward and options["dO"].dim != expected["o"]):
        raise RuntimeError("shapes of results")
    if bias is not None:
        if bias.data_type is cudnn.data_type.BOOLEAN:
            raise cudnn.cudnnGraphNotSupportedError("Bias mask data type cannot be boolean")
        if bias.dim[0] not in (1, q.dim[0]) or bias.dim[1] not in (1, q.dim[1]) or bias.dim[2:] != [q.dim[2], k.dim[2]]:
            raise RuntimeError(f"bias {bias.dim}")


VALIDATE = {
    **dict.fromkeys(("conv_fprop", "conv_dgrad", "conv_wgrad"), _check_convolution),
    **dict.fromkeys(("sdpa", "sdpa_backward"), _check_attention),
}
COMPUTE = {
    "conv_fprop": conv_fprop, "conv_dgrad": conv_dgrad, "conv_wgrad": conv_wgrad, "sdpa": sdpa, "sdpa_backward": sdpa_backward,
}  # fmt: skip
