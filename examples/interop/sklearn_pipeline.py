"""scikit-learn, differentiated through fit and predict: pip install gpugrad scikit-learn; python examples/interop/sklearn_pipeline.py

With array_api_dispatch its estimators compute in the namespace of their data, which is gpugrad here: what they predict has gradients
with respect to the data that they were fitted to. Every gradient is checked against central differences.
"""

import os
import warnings

os.environ.setdefault("SCIPY_ARRAY_API", "1")  # which array_api_dispatch asks for, and SciPy reads when it is imported

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gpugrad as gg

rng = np.random.default_rng(0)
X, X_NEW = rng.normal(size=(30, 5)) * [1, 2, 3, 4, 5], rng.normal(size=(4, 5))
Y = X @ [1.0, 0.5, -1.0, 0.2, 0.3] + rng.normal(size=30)
LABELS = gg.asarray((Y > 0).astype(int))


def pipeline(x, y, x_new):
    """What a pipeline predicts for new data: which measurement of the training set would change it most?"""
    model = make_pipeline(StandardScaler(), PCA(3), Ridge(alpha=2.0, solver="svd"))
    return gg.sum(model.fit(x, y).predict(x_new))


def ridge(x, y):
    """The error on data that was held out, as a function of the data that the model was fitted to."""
    model = Ridge(alpha=1.0, solver="svd").fit(x[10:, :], y[10:])
    return gg.mean((model.predict(x[:10, :]) - y[:10]) ** 2)


def components(x):
    """The share of the variance that the first two principal components explain."""
    return gg.sum(PCA(2).fit(x).explained_variance_ratio_)


def mixture(x):
    """The likelihood of the data under a mixture of Gaussians, through ten steps of expectation and maximization."""
    model = GaussianMixture(2, covariance_type="diag", init_params="random", max_iter=10, tol=0.0, random_state=0)
    return gg.sum(model.fit(x).score_samples(x))


def discriminant(x):
    return gg.sum(LinearDiscriminantAnalysis().fit(x, LABELS).predict_log_proba(x)[:, 0])


def bayes(x):
    return gg.sum(GaussianNB().fit(x, LABELS).predict_log_proba(x)[:, 0])


def nystroem(x):
    """A kernel, approximated by six of the points."""
    return gg.sum(Nystroem(gamma=0.02, n_components=6, random_state=0).fit_transform(x) ** 3)


def kernel(x, x_new):
    return gg.sum(rbf_kernel(x, x_new, gamma=0.05))


CALLS = {
    "StandardScaler, PCA, Ridge": (pipeline, X, Y, X_NEW),
    "Ridge, held-out error": (ridge, X, Y),
    "PCA, explained variance": (components, X),
    "GaussianMixture": (mixture, X),
    "LinearDiscriminantAnalysis": (discriminant, X),
    "GaussianNB": (bayes, X),
    "Nystroem": (nystroem, X),
    "rbf_kernel": (kernel, X, X_NEW),
}


def main():
    warnings.simplefilter("error", gg.DetachedWarning)  # nothing loses its gradient on the way
    warnings.filterwarnings(
        "ignore", "Best performing initialization did not converge"
    )  # tol is 0: ten steps, whatever they bring
    # StandardScaler divides by a count of zero and replaces the result, for NumPy's own arrays without a warning.
    with sklearn.config_context(array_api_dispatch=True), np.errstate(divide="ignore", invalid="ignore"):
        for name, (function, *arrays) in CALLS.items():
            value, gradients = gg.value_and_grad(function, argnums=tuple(range(len(arrays))))(*arrays)
            gg.testing.check_grads(function, *arrays, order=1)
            largest = max(np.abs(gradient).max() for gradient in gradients)
            print(f"{name:28} {float(value):10.4f}  largest derivative {largest:8.4f}  equals central differences")


if __name__ == "__main__":
    main()
