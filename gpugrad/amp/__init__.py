"""Mixed precision: :class:`autocast` for the forward pass, :class:`GradScaler` for gradients of 16 bits. See docs/mixed_precision.md."""

from gpugrad.amp.grad_scaler import GradScaler
from gpugrad.mixed_precision import autocast, is_autocast_enabled

__all__ = ["GradScaler", "autocast", "is_autocast_enabled"]
