"""The equivalences that the paper claims, each against its equations in plain numpy."""

import naive
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from skflow import SDFlowSampler, SVGDSampler
from skflow._diffusion import Gaussian, RecordedDiffusion
from skflow._flow import NOISE
from skflow._space import FlowSpace
from skflow._stand_in import stand_in
from skflow.datasets import make_gaussian_grid
from skflow.denoisers import KernelDenoiser, RegressorDenoiser
from skflow.metrics import characteristic_function_distance, characteristic_function_threshold
from skflow.schedules import Cosine
from skflow.velocities import MMD, ScoreDifference, Stein
from skflow.velocities._density_ratio import DensityRatio
from skflow.velocities._log_odds import log_odds_gradient

every_sigma = pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
every_seed = pytest.mark.parametrize("seed", range(6))


def draw(width=3, seed=0):
    """Noised particles, target and particles: two blobs, a few sigmas apart."""
    rng = np.random.default_rng(seed)
    Z, X, Y = (rng.normal(size=(n, width)) for n in (15, 40, 30))
    return Z + 1, X, Y + 2


def exactly(function, *rows):
    """A function of naive.py in longdouble, as float64."""
    return function(*(A.astype(np.longdouble) for A in rows)).astype(float)


def jacobian(function, Z):
    """``[n, i, j]``: the derivative of entry i by column j, by a step into the complex plane."""
    h = 1e-200  # nothing is subtracted, so that there is no rounding
    columns = [function(Z + 1j * h * e).imag / h for e in np.eye(Z.shape[1])]
    return np.stack(columns, axis=-1)


def gaussians(seed):
    """Target and particles, two Gaussians in one to three dimensions."""
    rng = np.random.default_rng(seed)
    width = 1 + seed % 3
    pair = []
    for shift in (0.0, 1.0):
        root = rng.normal(size=(width, width)) / np.sqrt(width)
        pair.append((shift + 0.5 * rng.normal(size=width), root @ root.T + 0.3 * np.eye(width)))
    return pair


def rows_of(gaussian, n, rng):
    return rng.multivariate_normal(*gaussian, size=n)


# --- one velocity in the words of another ---------------------------------------------------------


@every_sigma
def test_mmd_is_score_difference_but_for_the_weights(sigma):
    rows = draw()
    Z, X, Y = rows
    plain = MMD().fit(X)(Z, X, Y, sigma)
    for function in (naive.mmd, naive.mmd_by_weights):  # equations 47 and 48
        expected = exactly(lambda *rows, f=function: f(*rows, sigma), *rows)
        assert_allclose(plain, expected, rtol=1e-12, atol=1e-14)
    assert_allclose(MMD(scaled=True).fit(X)(Z, X, Y, sigma), sigma**2 * plain, rtol=1e-12)
    normalized = MMD(normalize=True).fit(X)(Z, X, Y, sigma)
    remark_1 = exactly(lambda *rows: naive.mmd_by_weights(*rows, sigma, normalize=True), *rows)
    equation_14 = exactly(lambda *rows: sigma**2 * naive.score_difference(*rows, sigma), *rows)
    for expected in (remark_1, equation_14, ScoreDifference().fit(X)(Z, X, Y, sigma)):
        assert_allclose(normalized, expected, atol=1e-12)


@every_sigma
def test_denoisers_differ_by_the_score_difference(sigma):
    Z, X, Y = draw()
    denoised = KernelDenoiser().fit(X).denoise(Z, sigma)
    assert_allclose(denoised, naive.optimal_denoiser(Z, X, sigma), atol=1e-12)  # equation 41

    def log_ratio(Z):  # equation 12
        return naive.log_density(Z, X, sigma) - naive.log_density(Z, Y, sigma)

    expected = sigma**2 * jacobian(log_ratio, Z)  # equations 17 and 18
    difference = denoised - KernelDenoiser().fit(Y).denoise(Z, sigma)
    assert_allclose(difference, expected, atol=1e-11)
    for target in (None, KernelDenoiser()):
        for source in (None, KernelDenoiser()):
            sd = ScoreDifference(target, source).fit(X)
            learned = sd.learn(X, Y, sigma)
            assert_allclose(sd(Z, X, Y, sigma, learned=learned), expected, atol=1e-11)
            # What was learned is used, not the particles that come along.
            elsewhere = sd(Z, X, X, sigma, learned=learned)
            assert_allclose(elsewhere, 0 * expected if source is None else expected, atol=1e-11)


def test_a_flow_of_denoisers_is_the_flow():
    _, X, Y = draw()
    options = {"n_steps": 10, "batch_size": 12, "random_state": 0}
    plain = SDFlowSampler(**options).fit(X, X_base=Y)
    learned = SDFlowSampler(velocity=ScoreDifference(source=KernelDenoiser()), **options)
    assert_allclose(learned.fit(X, X_base=Y).particles_, plain.particles_, rtol=0, atol=1e-13)


# --- denoising diffusion --------------------------------------------------------------------------


def diffusion(denoise, Y, sigmas, seed=0):
    """A recorded diffusion from the rows Y, as if they came from a Gaussian."""
    base = Gaussian(Y.mean(axis=0), np.cov(Y.T).reshape(2, 2))
    return RecordedDiffusion(denoise, base.denoise, base, base, Y, sigmas, seed)


def test_both_forms_of_the_chain_are_one():
    """Levels beyond the last, tau, for the target smoothed by the last: all of equations 19-22."""
    X, _ = make_gaussian_grid(60, random_state=0)
    Y = np.random.default_rng(1).normal(size=(20, 2))
    sigmas = np.geomspace(10, 0.2, 31)
    taus = np.append(np.sqrt(sigmas[:-1] ** 2 - sigmas[-1] ** 2), 0.0)
    draws = np.random.RandomState(5).standard_normal((31, 20, 2))

    def denoise(Z, tau):
        return naive.denoiser_of_smoothed(Z, X, sigmas[-1], tau)

    for tau in taus[:3]:  # it is the denoiser of that target, by Tweedie's formula (footnote 9)
        sigma = np.hypot(tau, sigmas[-1])
        score = jacobian(lambda Z, s=sigma: naive.log_density(Z, X, s), Y)
        assert_allclose(denoise(Y, tau), Y + tau**2 * score, atol=1e-11)
    of_z = list(naive.reverse_chain(Y, taus, denoise, draws))
    of_y = list(naive.carried_noise_chain(Y, taus, denoise, draws))
    recorded = diffusion(KernelDenoiser().fit(X).denoise, Y, sigmas)
    ours = [y for y, _ in recorded._chain(Y, np.random.RandomState(5))]
    for z, (y, noise), row in zip(of_z, of_y, ours, strict=True):
        assert_allclose(y + noise, z, atol=1e-11)
        assert_allclose(row, y, atol=1e-11)
    assert_allclose(of_z[-1], ours[-1], atol=1e-11)  # the last level is free of noise
    carried = recorded.carry(Y, rng=np.random.RandomState(5))
    assert_allclose(carried, ours[-1], atol=0)


def test_the_covariance_survives_where_the_noise_is_carried_only():
    n, target = 4000, (np.array([1.0, -1.0]), np.diag([1.0, 0.25]))
    Y = np.random.default_rng(0).normal(size=(n, 2))
    sigmas = np.geomspace(20, 0.1, 201)
    recorded = diffusion(Gaussian(*target).denoise, Y, sigmas)
    variances = np.diag(naive.smoothed(target, sigmas[-1])[1])
    # A variance of n rows errs by sqrt(2 / n), twice of which is 4 %; discretised, the chain of
    # 200 steps loses 3 %.
    assert_allclose(recorded.particles.var(axis=0), variances, rtol=0.08)

    def denoise(Z, sigma):
        return naive.gaussian_denoiser(Z, target, sigma)

    draws = np.random.default_rng(2).normal(size=(201, n, 2))
    *_, fresh = naive.fresh_noise_chain(Y, sigmas, denoise, draws)
    assert (fresh.var(axis=0) < 0.2 * variances).all()


def test_chain_and_probability_flow_have_one_law():
    X, _ = make_gaussian_grid(500, n_side=3, spacing=1.5, random_state=0)
    sigmas, n = np.geomspace(10, 0.1, 81), 600
    rng = np.random.default_rng(0)
    recorded = diffusion(KernelDenoiser().fit(X).denoise, rng.normal(size=(n, 2)), sigmas)

    def sampler(n_samples, random_state):  # of the target, smoothed by the last level
        rows = X[random_state.randint(len(X), size=n_samples)]
        return rows + sigmas[-1] * random_state.normal(size=rows.shape)

    options = {"n_frequencies": 64, "frequency_scale": 2.0, "random_state": 0}
    threshold = characteristic_function_threshold(sampler, n, n_trials=200, **options)
    chain = recorded.carry(rng.normal(size=(n, 2)), rng=np.random.RandomState(1))
    flow = recorded.carry(rng.normal(size=(n, 2)))
    law = sampler(n, np.random.RandomState(2))
    for first, second in [(chain, flow), (chain, law), (flow, law)]:
        assert characteristic_function_distance(first, second, **options) < threshold
    assert characteristic_function_distance(chain, 0.9 * flow, **options) > threshold


def test_the_probability_flow_is_exact_up_to_its_steps():
    target, base = (np.array([1.0, -1.0]), 0.5 * np.eye(2)), (np.zeros(2), 2.0 * np.eye(2))
    Y = rows_of(base, 50, np.random.default_rng(0))

    def error(n_steps):
        sigmas = np.geomspace(20, 0.1, n_steps + 1)
        of_target, of_base = Gaussian(*target), Gaussian(*base)
        recorded = RecordedDiffusion(
            of_target.denoise, of_base.denoise, of_target, of_base, Y, sigmas, 0
        )
        z = naive.gaussian_probability_flow(Y, base, 0.0, sigmas[0])
        z = target[0] + np.sqrt((0.5 + sigmas[0] ** 2) / (2.0 + sigmas[0] ** 2)) * z
        exact = naive.gaussian_probability_flow(z, target, sigmas[0], sigmas[-1])
        return np.abs(recorded.carry(Y) - exact).max()

    errors = [error(n_steps) for n_steps in (80, 160, 320)]
    # Heun's method is of second order: half the step, a quarter of the error.
    assert_allclose(np.divide(errors[:-1], errors[1:]), 4, rtol=0.15)
    assert errors[-1] < 0.02


# --- classification -------------------------------------------------------------------------------


class Optimal(ClassifierMixin, BaseEstimator):
    """The discriminator of equation 33 for two Gaussians, which learns nothing."""

    def __init__(self, p, q):
        self.p, self.q = p, q

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, Z):
        f = naive.discriminator(*(naive.gaussian_log_density(Z, g) for g in (self.p, self.q)))
        return np.column_stack([1 - f, f])


@every_seed
def test_the_optimal_discriminator_has_the_score_difference(seed):
    p, q = gaussians(seed)
    rng = np.random.default_rng(seed)
    X, Y = rows_of(p, 50, rng), rows_of(q, 50, rng)

    def f(Z):  # equation 33
        return naive.discriminator(
            naive.gaussian_log_density(Z, p), naive.gaussian_log_density(Z, q)
        )

    expected = naive.sd_field(Y, p, q)
    gradient = jacobian(lambda Z: naive.pre_activation(f(Z)), Y)  # equations 34 and 35
    assert_allclose(gradient, expected, rtol=1e-8, atol=1e-8)
    qda = QuadraticDiscriminantAnalysis().fit(np.concatenate([Y, X]), np.repeat([0, 1], 50))
    for k, (mean, covariance) in enumerate([q, p]):
        qda.means_[k] = mean
        qda.scalings_[k], qda.rotations_[k] = np.linalg.eigh(covariance)
    assert_allclose(log_odds_gradient(qda, Y), expected, rtol=1e-9, atol=1e-9)
    # Equation 36 is the slope of log f; central differences of the probabilities are good to 1e-6.
    for loss, direction in [
        ("alternative", expected),
        ("non-saturating", jacobian(lambda Z: np.log(f(Z)), Y)),
        ("non-saturating", (1 - f(Y))[:, None] * expected),
    ]:
        velocity = DensityRatio(Optimal(p, q), loss=loss, smooth=False, random_state=0).fit(X)
        assert_allclose(velocity(Y, X, Y, 0.7) / 0.7**2, direction, rtol=1e-5, atol=1e-5)


def test_a_fitted_discriminator_comes_closer_with_more_rows():
    p, q = gaussians(1)
    classifier = make_pipeline(PolynomialFeatures(2), LogisticRegression(C=np.inf, max_iter=500))
    Z = rows_of(q, 100, np.random.default_rng(99))

    def error(n):
        """Root mean square, of eight samples."""
        rngs = [np.random.default_rng(seed) for seed in range(8)]
        errors = [
            DensityRatio(classifier, smooth=False, random_state=0).fit(Z)(Z, *rows, 1.0)
            - naive.sd_field(Z, p, q)
            for rows in [(rows_of(p, n, rng), rows_of(q, n, rng)) for rng in rngs]
        ]
        return np.sqrt(np.square(errors).mean())

    # By 4, as 1 / sqrt(n). With 8 samples of five slopes, that is good to within a third.
    assert 2.5 < error(500) / error(16 * 500) < 6.4


# --- Stein variational gradient descent -----------------------------------------------------------


@every_sigma
@pytest.mark.parametrize("weights", [None, np.arange(40) % 3])
def test_stein_is_the_first_line_of_equation_51(weights, sigma):
    Z, X, Y = draw()
    repeated = X if weights is None else np.repeat(X, weights, axis=0)
    scores = {None: naive.score(Y, repeated, sigma), np.sin: np.sin(Y)}
    for score, at_particles in scores.items():
        velocity = Stein(target_score=score).fit(X)
        for z in (Z, Y):  # noised particles or not
            expected = exactly(lambda *rows: naive.svgd(*rows, sigma), z, Y, at_particles)
            result = velocity(z, X, Y, sigma, sample_weight=weights)
            assert_allclose(result, expected, rtol=1e-11, atol=1e-12 / sigma)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
def test_a_carried_row_takes_part_in_stein_and_mmd(sigma):
    Z, X, Y = draw()
    rows = Z + 0.3 * sigma * np.random.default_rng(1).normal(size=Z.shape)
    own = stand_in(rows, Y)
    results = {
        v: v.fit(X)(Z, X, Y, sigma, own=own) for v in (Stein(), Stein(target_score=np.sin), MMD())
    }
    for i in range(len(Z)):
        weights = np.ones(len(Y) + 1)
        weights[own.neighbors[i]] -= own.shares[i]
        z, joined = Z[i : i + 1], np.concatenate([Y, rows[i : i + 1]])
        score = naive.score(joined, X, sigma)
        K = naive.kernel(z, joined, sigma)[:, None]
        push = np.average(K * (joined - z), axis=0, weights=weights) / sigma**2
        expected = [
            naive.svgd(z, joined, score, sigma, weights)[0],
            naive.svgd(z, joined, np.sin(joined), sigma, weights)[0],
            naive.mmd(z, X, z, sigma)[0] - push,
        ]
        for result, one in zip(results.values(), expected, strict=True):
            assert_allclose(result[i], one, rtol=1e-8, atol=1e-9 / sigma)


@every_seed
def test_velocities_of_many_rows_are_the_fields_of_the_laws(seed):
    """Equations 14, 46 and 51's second line, for Gaussians; errors fall as 1 / sqrt(n)."""
    p, q = gaussians(seed)
    sigma, rng = 1.5, np.random.default_rng(seed)
    Z = rows_of(q, 100, rng)
    smooth = [naive.smoothed(g, sigma) for g in (p, q)]
    exact = {
        ScoreDifference(): sigma**2 * naive.sd_field(Z, *smooth),
        MMD(): naive.mmd_field(Z, p, q, sigma),
        Stein(target_score=lambda Y: naive.gaussian_score(Y, p)): naive.svgd_field(Z, p, q, sigma),
    }
    samples = {
        n: [(rows_of(p, n, rng), rows_of(q, n, rng)) for _ in range(32)] for n in (500, 8000)
    }
    for velocity, expected in exact.items():
        few, many = (
            np.sqrt(np.mean([(velocity.fit(X)(Z, X, Y, sigma) - expected) ** 2 for X, Y in pairs]))
            for pairs in samples.values()
        )
        # By 4. With a kernel this wide, a velocity has but a few degrees of freedom: mean squares
        # of 32 samples are good to a quarter or so, and 4 to a third.
        assert 2.7 < few / many < 6
        assert many < 0.1 * np.sqrt(np.square(expected).mean())


@pytest.mark.parametrize("covariance_type", ["spherical", "diag", "full"])
def test_stein_asks_for_scores_in_units_of_the_data(covariance_type):
    units = np.array([1e3, 1.0, 1e-3])
    target = np.array([5e3, 0.0, 1.0]), np.diag(units**2) * (1 + 0.5 * np.eye(3))
    rng = np.random.default_rng(0)
    X, Y = rows_of(target, 200, rng), rows_of(target, 50, rng) + units
    asked = []

    def score(rows):
        asked.append(rows)
        return naive.gaussian_score(rows, target)

    sampler = SVGDSampler(
        velocity=Stein(target_score=score),
        covariance_type=covariance_type,
        optimizer="sgd",
        n_steps=1,
        random_state=0,
    ).fit(X, X_base=Y)
    assert_allclose(asked[0] / units, Y / units, atol=1e-11)
    space = FlowSpace(covariance_type).fit(X)
    rows = space.to_flow(Y)

    def log_density(rows):  # from_flow, for complex rows
        data = rows if space.root_ is None else rows @ space.root_
        return naive.gaussian_log_density(data * space.scale_ + space.mean_, target)

    gradient = jacobian(log_density, rows)
    at_rows = naive.gaussian_score(Y, target)
    # Y - mean is rounded in 5e3 +- 1e3: 1e-13 of a deviation, times the condition of "full".
    assert_allclose(space.gradient_to_flow(at_rows), gradient, rtol=1e-9, atol=1e-9)
    step = sampler.step_size * naive.svgd(rows, rows, gradient, sampler.bandwidth_)
    assert_allclose(sampler.particles_, space.from_flow(rows + step), rtol=1e-11, atol=1e-11)


# --- the KL divergence along the flows (section 2.2) ----------------------------------------------


def quadrature(gaussian, n_nodes):
    """Nodes and weights for expectations under a Gaussian."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    mean, covariance = gaussian
    width = len(mean)
    grid = np.stack(np.meshgrid(*[nodes] * width, indexing="ij"), axis=-1).reshape(-1, width)
    products = np.prod(np.meshgrid(*[weights] * width, indexing="ij"), axis=0).ravel()
    return mean + grid @ np.linalg.cholesky(covariance).T, products / products.sum()


@every_seed
def test_the_score_difference_reduces_kl_fastest(seed):
    p, q = gaussians(seed)
    Z, weights = quadrature(q, 24)
    fields = {
        "sd": lambda Z: naive.sd_field(Z, p, q),
        "mmd": lambda Z: naive.mmd_field(Z, p, q, 0.8),
        "svgd": lambda Z: naive.svgd_field(Z, p, q, 0.8),
    }
    speeds = {}
    for name, field in fields.items():
        f, slopes = field(Z), jacobian(field, Z)

        def kl(eps, f=f, slopes=slopes):
            """Equation 7 after the step ``x + eps f(x)``, by the change of variables."""
            volume = np.linalg.slogdet(np.eye(Z.shape[1]) + eps * slopes)[1]
            log_q = naive.gaussian_log_density(Z, q) - volume
            return weights @ (log_q - naive.gaussian_log_density(Z + eps * f, p))

        assert kl(0.0) == pytest.approx(naive.kl(q, p))
        rate = (kl(1e-4) - kl(-1e-4)) / 2e-4
        stein = (naive.gaussian_score(Z, p) * f).sum(axis=1) + np.trace(slopes, axis1=1, axis2=2)
        assert rate == pytest.approx(-weights @ stein, rel=1e-5)  # equations 8 and 9
        product = (naive.sd_field(Z, p, q) * f).sum(axis=1)
        assert rate == pytest.approx(-weights @ product, rel=1e-5)  # equation 10
        if name == "sd":  # equation 11
            assert rate == pytest.approx(-naive.fisher_divergence(q, p), rel=1e-5)
        speeds[name] = -rate / np.sqrt(weights @ np.square(f).sum(axis=1))
    assert max(speeds["mmd"], speeds["svgd"]) < 0.99 * speeds["sd"]  # by Cauchy and Schwarz


@every_seed
def test_kl_falls_in_every_step_of_the_score_difference(seed):
    p, q = gaussians(seed)
    kls = [naive.kl(q, p)]
    for _ in range(2000):
        q = naive.pushed(q, p, 0.01)
        kls.append(naive.kl(q, p))
    assert kls[0] > 0.05
    assert (np.diff(kls)[np.array(kls[:-1]) > 1e-10] < 0).all()
    assert kls[-1] < 1e-4 * kls[0]


@every_seed
def test_the_package_s_score_difference_is_fastest(seed):
    """On rows of both laws, for the smoothed laws, which all three are asked to align."""
    p, q = gaussians(seed)
    sigma, n, rng = 0.8, 4000, np.random.default_rng(seed)
    smooth = [naive.smoothed(g, sigma) for g in (p, q)]
    X, Y = rows_of(p, n, rng), rows_of(q, n, rng)
    noisy_X, noisy_Y = (rows_of(g, n, rng) for g in smooth)
    Z = rows_of(smooth[1], 2000, rng)
    downhill = naive.sd_field(Z, *smooth)
    score = Stein(target_score=lambda rows: naive.gaussian_score(rows, smooth[0]))
    fields = [
        ScoreDifference().fit(X)(Z, X, Y, sigma),
        MMD().fit(X)(Z, noisy_X, noisy_Y, sigma),
        score.fit(X)(Z, None, noisy_Y, sigma),
    ]
    most = np.sqrt(np.square(downhill).sum(axis=1).mean())  # by Cauchy and Schwarz
    speeds = [(downhill * f).sum() / len(Z) / np.sqrt(np.square(f).sum() / len(Z)) for f in fields]
    assert 0.97 * most < speeds[0] <= most
    assert max(speeds[1:]) < speeds[0]


@pytest.mark.parametrize("batch_size", [None, 12])
def test_history_is_the_fisher_divergence(batch_size):
    _, X, Y = draw(2)
    sampler = SDFlowSampler(
        schedule=Cosine(2.0, 1.0),
        n_steps=12,
        batch_size=batch_size,
        covariance_type="spherical",
        random_state=0,
    ).fit(X, X_base=Y)
    flow, expected = sampler._flow.flow, []
    for state, sigma in zip(sampler._flow.kept, flow.sigmas, strict=False):
        (x, y, _), _ = flow._players(state)
        z = y + sigma * flow.rng(state.step, NOISE).standard_normal(y.shape)
        fisher = np.square(naive.score_difference(z, x, y, sigma)).sum(axis=1).mean()
        expected.append(sigma**4 * fisher)  # equation 11, over the noised particles
    assert_allclose(sampler.history_, expected, rtol=1e-9)


# --- learned velocities ---------------------------------------------------------------------------

NETWORK = MLPRegressor(hidden_layer_sizes=(6,), max_iter=3)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of training cut short, and of the way back
@pytest.mark.parametrize("batch_size", [None, 15])
@pytest.mark.parametrize(
    "velocity",
    [
        ScoreDifference(source=RegressorDenoiser(NETWORK, n_passes=1)),
        DensityRatio(make_pipeline(PolynomialFeatures(2), LogisticRegression())),
    ],
    ids=["denoiser", "classifier"],
)
def test_learned_velocities_do_not_depend_on_memory(velocity, batch_size):
    _, X, Y = draw(2)
    sampler = SDFlowSampler(velocity=velocity, n_steps=12, batch_size=batch_size, random_state=0)

    def results():
        sampler.fit(X, X_base=Y)
        arrays = [sampler.transform(Y[:9]), sampler.sample(9, random_state=1)]
        arrays += [sampler.transform(Y[:9]), sampler.inverse_transform(X[:3]), sampler.particles_]
        return [array.tobytes() for array in arrays]

    expected = results()
    assert len(sampler._flow.kept) == 13
    with config_context(working_memory=1e-3):
        thrifty = results()
    assert len(sampler._flow.kept) < 6
    assert thrifty == expected
    assert expected[0] == expected[2]  # carrying leaves what was learned as it was
