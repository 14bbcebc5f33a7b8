import pickle
import zlib
from copy import deepcopy
from functools import partial

import naive_metrics as naive
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skflow import (
    ClasswiseSampler,
    DiffusionSampler,
    MMDFlowSampler,
    SDFlowGenerator,
    SDFlowSampler,
    SVGDSampler,
    metrics,
)
from skflow.denoisers import RegressorDenoiser
from skflow.metrics import (
    fidelity_without_copying,
    get_sample_scorer,
    get_sample_scorer_names,
    make_sample_scorer,
    most_faithful,
)

WINE, IRIS = load_wine().data, load_iris().data
FIDELITY = [
    "neg_characteristic_function_distance",
    "neg_classifier_two_sample_auc_gap",
    "neg_energy_distance",
    "neg_maximum_mean_discrepancy",
    "neg_sliced_wasserstein_distance",
    "maximum_mean_discrepancy_pvalue",
]
MEMORISATION = [
    "neg_closer_to_train_share",
    "neg_nearest_distance_ratio_gap",
    "neg_nearest_neighbor_adversarial_accuracy_gap",
    "neg_privacy_loss",
]
NAMES = get_sample_scorer_names()
PAIR = ["neg_energy_distance", "neg_closer_to_train_share"]
ESTIMATORS = [
    SDFlowSampler(n_steps=20, n_particles=100, random_state=0),
    MMDFlowSampler(n_steps=20, n_particles=100, random_state=0),
    SVGDSampler(n_steps=20, n_particles=100, random_state=0),
    DiffusionSampler(n_steps=20, n_particles=100, random_state=0),
    DiffusionSampler(n_steps=20, denoiser=RegressorDenoiser(), random_state=0),
    SDFlowGenerator(MLPRegressor(hidden_layer_sizes=8, max_iter=20), n_steps=5, random_state=0),
]
IDS = ["SD", "MMD", "SVGD", "diffusion", "trained diffusion", "generator"]
SAMPLER = SDFlowSampler(n_particles=300, random_state=0)
SHUFFLED = KFold(5, shuffle=True, random_state=0)
HALVES = ShuffleSplit(6, test_size=0.5, random_state=0)

# Some are to copy, and most are not given the time to arrive.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The particles copy rows"),
    pytest.mark.filterwarnings("ignore:After .* steps the particles"),
]


@pytest.fixture(scope="module")
def halves():
    """Rows that train and rows that are held out, in other units than standard deviations."""
    return train_test_split(WINE, test_size=0.5, random_state=0)


@pytest.fixture(scope="module")
def honest(halves):
    return clone(SAMPLER).fit(halves[0])


@pytest.fixture(scope="module")
def copier(halves):
    return clone(SAMPLER).set_params(bandwidth=0.15).fit(halves[0])


def test_every_metric_has_a_scorer():
    assert NAMES == sorted([*FIDELITY, *MEMORISATION, "fidelity_without_copying"])
    covered = {
        name.removeprefix("neg_").removesuffix("_pvalue").removesuffix("_gap") for name in NAMES
    }
    others = {"characteristic_function_threshold", "maximum_mean_discrepancy_test"}
    others |= {"nearest_neighbor_distances", "most_faithful", "make_sample_scorer"}
    others |= {"get_sample_scorer", "get_sample_scorer_names"}
    assert covered == set(metrics.__all__) - others


def test_scores_are_the_metrics_of_samples_training_rows_and_held_out_rows(halves, honest):
    train, heldout = halves
    ranks = np.argsort(heldout, axis=0, kind="stable")
    rng = np.random.RandomState([0, zlib.crc32(ranks.tobytes())])
    seed, judges_seed = rng.randint(np.iinfo(np.int32).max, size=2)
    samples = honest.sample(len(heldout), random_state=seed)
    S, T, H = (rows / heldout.std(axis=0) for rows in (samples, train, heldout))
    expected = {
        "neg_energy_distance": -naive.energy_distance(S, H),
        "neg_closer_to_train_share": -naive.adjusted_closer_to_train_share(S, T, H),
        "neg_nearest_distance_ratio_gap": -abs(naive.nearest_distance_ratio(S, T, H) - 1),
        "neg_nearest_neighbor_adversarial_accuracy_gap": -abs(
            naive.nearest_neighbor_adversarial_accuracy(S, T) - 0.5
        ),
        "neg_privacy_loss": -naive.privacy_loss(S, T, H),
        "fidelity_without_copying": naive.fidelity_without_copying(S, T, H, 2.0),
        "neg_sliced_wasserstein_distance": -metrics.sliced_wasserstein_distance(
            S, H, random_state=judges_seed
        ),
    }
    scores = get_sample_scorer(list(expected))(honest, heldout)
    assert scores.keys() == expected.keys()
    assert_allclose(list(scores.values()), list(expected.values()), rtol=1e-9, atol=1e-12)


def test_fewer_training_rows_are_drawn_where_sizes_must_be_equal(halves, honest, recwarn):
    scorer = get_sample_scorer(MEMORISATION)
    scores = [scorer(honest, halves[1][:40], None) for _ in range(2)]
    assert scores[0] == scores[1]
    assert not recwarn
    # All rows of either side would be told apart by their number alone.
    assert abs(scores[0]["neg_privacy_loss"]) < 0.25


def test_several_scores_are_those_of_each_and_cost_one_sample(halves, honest):
    class Counter:
        n_calls = 0
        _training_rows = honest._training_rows

        def sample(self, n_samples, random_state):
            self.n_calls += 1
            return honest.sample(n_samples, random_state)

    names, counter = [name for name in NAMES if "classifier" not in name], Counter()
    scores = get_sample_scorer(names)(counter, halves[1])
    assert counter.n_calls == 1
    assert scores == {name: get_sample_scorer(name)(honest, halves[1]) for name in names}
    own = make_sample_scorer(metrics.energy_distance, greater_is_better=False, random_state=7)
    mixed = get_sample_scorer({"mine": own, "theirs": "neg_energy_distance"})(honest, halves[1])
    assert mixed["mine"] == mixed["theirs"] == scores["neg_energy_distance"]


@pytest.mark.parametrize("name", NAMES)
def test_greater_is_better(name, halves, honest, copier):
    train, heldout = halves
    elsewhere = SDFlowSampler(n_steps=1, random_state=0).fit(train, X_base=1.3 * train)
    scorer = get_sample_scorer(name)
    if name not in MEMORISATION:
        assert scorer(honest, heldout) > scorer(elsewhere, heldout)
    if name not in FIDELITY:
        assert scorer(honest, heldout) > scorer(copier, heldout)


class Returning:
    """A sampler that returns given rows, whatever it was fitted on."""

    def __init__(self, rows, train):
        self.rows, self.train = rows, train

    def sample(self, n_samples, random_state):
        return self.rows[:n_samples]

    def _training_rows(self):
        return self.train


def gains(name, make, n_repeats=8):
    """Scores of samples less those of rows of the same law; the mean and its standard error."""
    scorer, rng, differences = get_sample_scorer(name), np.random.default_rng(0), []
    for _ in range(n_repeats):
        train, heldout, fresh = rng.normal(size=(3, 60, 2))
        made = make(train, heldout, fresh)
        scores = [scorer(Returning(rows, train), heldout) for rows in (made, fresh)]
        differences.append(scores[0] - scores[1])
    return np.mean(differences), np.std(differences, ddof=1) / np.sqrt(n_repeats)


BOTH = "fidelity_without_copying"
FAR_FROM_IDEAL = sorted({*FIDELITY, BOTH, *(name for name in NAMES if "gap" in name)})


@pytest.mark.parametrize("name", [*MEMORISATION, BOTH])
def test_copies_score_less_than_rows_of_the_same_law(name):
    gain, error = gains(name, lambda train, heldout, fresh: train)
    assert gain < -5 * error


@pytest.mark.parametrize("name", FAR_FROM_IDEAL)
def test_blur_scores_less_than_rows_of_the_same_law(name):
    """Also where the metric itself is more than its ideal: 1 for an accuracy of 0.5."""
    gain, error = gains(name, lambda train, heldout, fresh: 4 * fresh)
    assert gain < -5 * error


@pytest.mark.parametrize("name", ["neg_closer_to_train_share", "neg_privacy_loss"])
def test_what_exceeds_the_ideal_of_a_share_is_chance(name):
    gain, error = gains(name, lambda train, heldout, fresh: 4 * fresh, n_repeats=40)
    assert abs(gain) < 3 * error


def test_rows_that_a_forest_takes_for_the_other_sample_are_not_better():
    name = "neg_classifier_two_sample_auc_gap"
    gain, error = gains(name, lambda train, heldout, fresh: heldout)
    assert gain < -5 * error


def test_draws_follow_the_seed_and_the_fold(halves, honest, recwarn):
    seen = []

    def metric(samples, heldout):
        seen.append(samples)
        return 0.0

    heldout = halves[1]
    rng = np.random.RandomState(0)
    for random_state in (0, 0, 1, None, None, rng, rng):
        scorer = make_sample_scorer(metric, random_state=random_state, standardize=False)
        assert scorer(honest, heldout) == 0
    make_sample_scorer(metric, standardize=False)(honest, heldout[::-1])  # another fold
    assert_array_equal(seen[0], seen[1])
    own = honest.sample(len(heldout), random_state=0)
    for others in (*seen[2:], own):
        assert not np.isclose(seen[0], others).any(axis=0).all()
    assert not np.array_equal(seen[3], seen[4]) and not np.array_equal(seen[5], seen[6])
    make_sample_scorer(metric, n_samples=7)(honest, heldout)
    assert seen[-1].shape == (7, 13)
    scores = get_sample_scorer([*PAIR, *MEMORISATION], n_samples=300)(honest, heldout)
    assert np.isfinite(list(scores.values())).all()


def test_metrics_get_their_parameters(halves, honest):
    def scorer(**options):
        return make_sample_scorer(metrics.sliced_wasserstein_distance, **options)

    a, b = scorer(n_projections=3), scorer(n_projections=3, random_state=1)
    c, d = (scorer(projections=np.eye(13), random_state=seed) for seed in (0, 0))
    scores = [s(honest, halves[1]) for s in (a, b, c, d)]
    assert len(set(scores)) == 3 and scores[2] == scores[3]

    def seeded(samples, heldout, random_state):
        return random_state

    assert make_sample_scorer(seeded)(honest, halves[1]) > 0
    needs_train = make_sample_scorer(fidelity_without_copying, needs_train=True, penalty=0)
    assert needs_train(honest, halves[1]) > get_sample_scorer("fidelity_without_copying")(
        honest, halves[1]
    )
    assert "sliced_wasserstein_distance" in repr(a)
    assert "energy_distance, closer_to_train_share" in repr(get_sample_scorer(PAIR))


def test_units_do_not_matter_but_on_request(halves):
    units = np.geomspace(0.1, 1000, 13)
    scores = {True: [], False: []}
    for factor in (1.0, units):
        sampler = SDFlowSampler(n_steps=20, random_state=0).fit(halves[0] * factor)
        for standardize, of_both in scores.items():
            scorer = get_sample_scorer("neg_energy_distance", standardize=standardize)
            of_both.append(scorer(sampler, halves[1] * factor))
    assert_allclose(*scores[True], rtol=1e-6)
    assert abs(np.log(np.divide(*scores[False]))) > 1


# --- training rows ------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=IDS)
def test_estimators_hand_out_the_rows_they_were_fitted_on(estimator):
    weights = np.arange(150) % 3
    estimator.fit(IRIS, sample_weight=weights)
    assert_array_equal(estimator._training_rows(), IRIS[weights > 0])
    scores = get_sample_scorer([*PAIR, *MEMORISATION])(estimator, IRIS[weights == 0])
    assert np.isfinite(list(scores.values())).all()
    copied, pickled = deepcopy(estimator), pickle.loads(pickle.dumps(estimator))
    for copy in (copied, pickled):
        assert_array_equal(copy.sample(3, random_state=0), estimator.sample(3, random_state=0))
        assert get_sample_scorer("neg_energy_distance")(copy, IRIS) < 0
    assert_array_equal(copied._training_rows(), IRIS[weights > 0])
    assert copied._training_X is not estimator._training_X
    if isinstance(estimator, SDFlowGenerator):
        with pytest.raises(ValueError, match="no longer has the rows"):
            get_sample_scorer("neg_privacy_loss")(pickled, IRIS)
    else:
        assert_array_equal(pickled._training_rows(), IRIS[weights > 0])


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("sampler", [SAMPLER, ClasswiseSampler(SAMPLER)], ids=["one", "classes"])
def test_samplers_of_cross_validation_are_scored_for_copies(sampler, n_jobs):
    labels = IRIS[:, 0] > 5.8
    options = {"cv": KFold(2, shuffle=True, random_state=0), "return_estimator": True}
    result = cross_validate(sampler, IRIS, labels, n_jobs=n_jobs, **options)
    scorer = get_sample_scorer("neg_closer_to_train_share")
    assert all(-1 <= scorer(fitted, IRIS) <= 0 for fitted in result["estimator"])


def test_partial_fit_does_not_keep_rows():
    generator = clone(ESTIMATORS[-1]).partial_fit(IRIS)
    with pytest.raises(ValueError, match="partial_fit does not keep"):
        generator._training_rows()


@pytest.mark.parametrize("estimator", [ESTIMATORS[0], ESTIMATORS[-1]], ids=["SD", "generator"])
def test_copying_can_be_watched_during_fit(estimator):
    name = "neg_nearest_neighbor_adversarial_accuracy_gap"  # which needs no held-out rows
    monitor = ScoringMonitor(scoring={name: get_sample_scorer(name)})
    estimator.set_callbacks(monitor).fit(IRIS, np.zeros(150))
    estimator.set_callbacks()
    scores = [row[name] for row in monitor.get_logs().data if row["task_name"] == "step"]
    assert len(scores) == estimator.n_steps and len(set(scores)) > 1


# --- pipelines ----------------------------------------------------------------------------------


def test_a_pipeline_is_scored_in_the_columns_it_is_given(halves, honest):
    scorer = get_sample_scorer(["neg_energy_distance", *MEMORISATION, "fidelity_without_copying"])
    pipeline = make_pipeline(StandardScaler(), clone(SAMPLER)).fit(halves[0])
    nested = make_pipeline(StandardScaler(), clone(pipeline)).fit(halves[0])
    alone = make_pipeline(clone(SAMPLER)).fit(halves[0])
    expected = list(scorer(honest, halves[1]).values())
    for estimator in (pipeline, nested, alone, FrozenEstimator(honest)):
        assert_allclose(list(scorer(estimator, halves[1]).values()), expected, rtol=1e-5, atol=1e-9)
    frames = load_wine(as_frame=True).data
    train, heldout = (frames.loc[np.isin(WINE, rows).all(axis=1)] for rows in halves)
    pipeline.set_output(transform="pandas").fit(train)
    assert scorer(pipeline, heldout)["neg_energy_distance"] > 2 * expected[0]


def test_what_a_pipeline_loses_is_no_copying():
    scorer = get_sample_scorer(["neg_closer_to_train_share", "neg_energy_distance"])
    shares, energies = [], []
    for n_components in (2, 13):
        steps = StandardScaler(), PCA(n_components), SAMPLER
        scores = cross_validate(make_pipeline(*steps), WINE, cv=HALVES, scoring=scorer)
        shares.append(-scores["test_neg_closer_to_train_share"].mean())
        energies.append(-scores["test_neg_energy_distance"].mean())
    assert max(shares) < 0.65
    # The held-out rows as they are lie off the plane that all training rows are on.
    pipeline = make_pipeline(StandardScaler(), PCA(2), clone(SAMPLER))
    naive_shares = []
    for train, test in HALVES.split(WINE):
        pipeline.fit(WINE[train])
        back = pipeline[:-1].inverse_transform
        samples = back(pipeline[-1].sample(len(test), random_state=0))
        rows = samples, back(pipeline[-1]._training_rows()), WINE[test]
        rows = [S / WINE[test].std(axis=0) for S in rows]
        naive_shares.append(metrics.closer_to_train_share(*rows))
    assert np.mean(naive_shares) > 0.75
    # Fidelity is to the rows as they are, so that what is lost counts.
    assert energies[0] > energies[1]


def test_estimators_that_cannot_be_scored(halves):
    train, heldout = halves
    forward_only = make_pipeline(PolynomialFeatures(2), SDFlowSampler(n_steps=2)).fit(train)
    density = KernelDensity().fit(train)
    assert get_sample_scorer("neg_energy_distance")(density, heldout) < 0
    for estimator, message in [
        (forward_only, "through step 'polynomialfeatures': PolynomialFeatures has no inverse"),
        (GaussianMixture().fit(train), "GaussianMixture is none"),
        (StandardScaler().fit(train), "StandardScaler is none"),
        (density, "KernelDensity does not tell which rows"),
    ]:
        with pytest.raises(TypeError, match=message):
            get_sample_scorer("neg_nearest_distance_ratio_gap")(estimator, heldout)


# --- searches -----------------------------------------------------------------------------------


@pytest.mark.parametrize("X", [WINE, IRIS], ids=["wine", "iris"])
def test_a_search_finds_the_most_faithful_that_does_not_copy(X):
    grid, scoring = {"bandwidth": [0.1, 0.3, 1.0, "auto"]}, get_sample_scorer(PAIR)
    search = GridSearchCV(SAMPLER, grid, scoring=scoring, refit=most_faithful, cv=HALVES).fit(X)
    shares = -search.cv_results_["mean_test_neg_closer_to_train_share"]
    passes = shares <= 0.65
    assert 0 < passes.sum() < 4
    energies = np.where(passes, -search.cv_results_["mean_test_neg_energy_distance"], np.inf)
    assert search.best_index_ == np.argmin(energies)
    assert search.best_estimator_.bandwidth == search.best_params_["bandwidth"]


def test_held_out_density_chooses_what_the_rule_rejects():
    grid, scoring = {"bandwidth": [0.3, "auto"]}, get_sample_scorer(PAIR)
    by_density = GridSearchCV(SAMPLER, grid, cv=HALVES).fit(IRIS)
    by_rule = RandomizedSearchCV(
        SAMPLER, grid, n_iter=2, scoring=scoring, refit=most_faithful, cv=HALVES, random_state=0
    ).fit(IRIS)
    assert by_density.best_params_ == {"bandwidth": 0.3}
    assert by_rule.best_params_ == {"bandwidth": "auto"}


def test_the_combined_score_chooses_no_copies_in_folds():
    for X in (WINE, IRIS):
        grid = {"bandwidth": [0.1, 0.2, "auto"]}
        scoring = get_sample_scorer("fidelity_without_copying")
        search = GridSearchCV(SAMPLER, grid, scoring=scoring, cv=SHUFFLED)
        assert search.fit(X).best_params_ == {"bandwidth": "auto"}


def test_searches_nest_run_in_parallel_and_pickle():
    rule = partial(most_faithful, limit=-0.7)
    grid = {"bandwidth": [0.1, "auto"]}
    sampler = SDFlowSampler(n_particles=100, random_state=0)
    searches = [
        GridSearchCV(sampler, grid, scoring=get_sample_scorer(PAIR), refit=rule, cv=3, n_jobs=n)
        for n in (1, 2)
    ]
    X = IRIS[np.random.RandomState(0).permutation(150)]
    one, two = (search.fit(X).cv_results_ for search in searches)
    for name in PAIR:
        assert_array_equal(one[f"split1_test_{name}"], two[f"split1_test_{name}"])
    assert pickle.loads(pickle.dumps(searches[0])).best_index_ == searches[0].best_index_
    assert searches[0].best_params_ == {"bandwidth": "auto"}
    nested = cross_val_score(searches[0], X, cv=3, scoring=get_sample_scorer("neg_privacy_loss"))
    alone = cross_val_score(
        searches[0].best_estimator_, X, cv=3, scoring=get_sample_scorer("neg_privacy_loss")
    )
    assert_array_equal(nested, alone)


def results(energies, shares):
    return {
        "mean_test_neg_energy_distance": -np.array(energies, dtype=float),
        "mean_test_neg_closer_to_train_share": -np.array(shares, dtype=float),
    }


def test_the_rule():
    energies, shares = [0.1, 0.3, 0.2, 0.2], [0.9, 0.5, 0.6, 0.55]
    assert most_faithful(results(energies, shares)) == 2  # the first of equals
    assert most_faithful(results([0.1, 0.2], [0.65, 0.5])) == 0  # the limit itself passes
    assert most_faithful(results(energies, shares), limit=-0.55) == 3
    assert most_faithful(results(energies, shares), limit=-1) == 0
    swapped = {"fidelity": "neg_closer_to_train_share", "memorization": "neg_energy_distance"}
    assert most_faithful(results(shares, energies), **swapped) == 2
    nan = np.nan
    assert most_faithful(results([nan, 0.3, 0.1], [0.5, 0.5, nan])) == 1
    with pytest.warns(UserWarning, match="All candidates copy.* with -0.7") as record:
        assert most_faithful(results([0.1, 0.2, nan], [0.8, 0.7, 0.6])) == 1
    assert record[0].filename == __file__
    for broken, message in [
        (results([nan], [0.5]), "No candidate has both"),
        (
            {"mean_test_score": [1.0]},
            r"did not score by 'neg_energy_distance', only by \['score'\]",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            most_faithful(broken)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: get_sample_scorer("energy_distance"), "Names are fidelity_without_copying, "),
        (lambda: get_sample_scorer([]), "empty"),
        (lambda: get_sample_scorer(PAIR, n_samples=0), "n_samples"),
        (lambda: get_sample_scorer({"a": metrics.energy_distance}), "made by make_sample_scorer"),
        (lambda: get_sample_scorer({"a": get_sample_scorer(PAIR)}), "made by make_sample_scorer"),
        (lambda: make_sample_scorer("neg_energy_distance"), "'metric' parameter"),
        (lambda: fidelity_without_copying(IRIS, IRIS, IRIS, penalty=-1), "penalty"),
        (lambda: fidelity_without_copying(IRIS, IRIS, IRIS[:1]), "All held-out rows are the same"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
