"""xarray, differentiated through labelled arrays: pip install gpugrad xarray; python examples/interop/xarray_labels.py

A DataArray holds a Tensor as it is, and computes in its namespace. What xarray takes from NumPy alone (means that skip nan, for
instance: say skipna=False) refuses a Tensor that records, so that no gradient is lost. Every gradient is checked against central
differences.
"""

import numpy as np
import xarray as xr

import gpugrad as gg

rng = np.random.default_rng(0)
TEMPERATURE = rng.normal(size=(4, 6))
STATIONS, MONTHS = ["north", "east", "south", "west"], [1, 2, 3, 4, 5, 6]


def labelled(x):
    return xr.DataArray(x, dims=("station", "month"), coords={"station": STATIONS, "month": MONTHS})


def anomalies(x):
    """The deviation of each month from the mean of its station, by name instead of by axis."""
    t = labelled(x)
    return ((t - t.mean("month", skipna=False)) ** 3).sum().data


def selection(x):
    """By labels, in any order, forwards and backwards."""
    t = labelled(x)
    return (t.sel(station=["west", "north"], month=slice(2, 5)) * t.isel(station=0)[::-1]).sum().data


def weighted(x):
    """A mean with weights, which are found by their labels."""
    weights = xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="station", coords={"station": STATIONS})
    return (labelled(x).weighted(weights).mean("station") ** 2).sum().data


def changes(x):
    """Differences of months, which align by what they have in common, and their integral."""
    t = labelled(x)
    return (t.diff("month") * t).sum().data + (xr.ufuncs.exp(t).integrate("month") ** 2).sum().data


def warm(x):
    """Only where it is warm: the others count as zero."""
    t = labelled(x)
    return t.where(t > 0, 0.0).sum("month").max(skipna=False).data


def datasets(x):
    """Two variables in one dataset, sorted, and summed as products over a dimension."""
    t = labelled(x)
    data = xr.Dataset({"t": t, "square": t**2}).sortby("month", ascending=False)
    return (xr.dot(data.t, data.square, dim="month") * data.t.isel(month=0)).sum().data


def own(x):
    """A function of one's own along a named dimension: the power of the yearly cycle."""
    spectrum = xr.apply_ufunc(gg.fft.rfft, labelled(x), input_core_dims=[["month"]], output_core_dims=[["frequency"]])
    return (abs(spectrum) ** 2).isel(frequency=1).sum().data


CALLS = {
    "mean by name": (anomalies, TEMPERATURE),
    "sel, isel": (selection, TEMPERATURE),
    "weighted": (weighted, TEMPERATURE),
    "diff, integrate": (changes, TEMPERATURE),
    "where, max": (warm, TEMPERATURE),
    "Dataset, sortby, dot": (datasets, TEMPERATURE),
    "apply_ufunc": (own, TEMPERATURE),
}


def main():
    for name, (function, *arrays) in CALLS.items():
        value, gradient = gg.value_and_grad(function)(*arrays)
        gg.testing.check_grads(function, *arrays, order=2)
        print(f"{name:22} {float(value):10.4f}  largest derivative {np.abs(gradient).max():8.4f}  equals central differences")


if __name__ == "__main__":
    main()
