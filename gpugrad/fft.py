"""gg.fft: discrete Fourier transforms, as in the standard.

Standard: https://data-apis.org/array-api/latest/extensions/fourier_transform_functions.html
"""

__all__: list[str] = []
