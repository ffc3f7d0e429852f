"""How much a model's ranking of the hold-out loses when the values of one feature are shuffled. Fits nothing.

Source: Breiman, Random Forests (2001), section 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from marsshot.model.class_probabilities import class_probabilities
from marsshot.training.day_statistics import Floats, average_precision, day_weights
from marsshot.training.threads import in_threads

REPEATS = 3


def feature_importance(
    future: pd.DataFrame, features: Sequence[str], model: Any, seed: int, jobs: int
) -> list[dict[str, Any]]:
    """Return how much average precision is lost with each feature, most first; mean and spread of some shuffles.

    Nothing if none of the rows rose, or all did: then nothing can be lost.
    """
    if future["label"].nunique() == 1:
        return []
    rows, labels = future[list(features)], future["label"].to_numpy()
    weights, rising = day_weights(future["date"].to_numpy()), list(model.classes_).index(1)

    def precision(shuffled: pd.DataFrame, repeats: int) -> Floats:
        scores = class_probabilities(model, shuffled)[:, rising].reshape(repeats, -1)
        return np.array([average_precision(labels, one, weights) for one in scores])

    def losses(number: int) -> Floats:
        random, values = np.random.default_rng((seed, number)), rows.iloc[:, number].to_numpy()
        # All shuffles in one question: to ask each tree takes as long as its answer for some hundred rows.
        shuffled = pd.concat([rows] * REPEATS, ignore_index=True)
        shuffled[features[number]] = np.concatenate([random.permutation(values) for _ in range(REPEATS)])
        return before - precision(shuffled, REPEATS)

    with in_threads(n_jobs=1):
        before = precision(rows, 1)
        found = Parallel(n_jobs=jobs)(delayed(losses)(number) for number in range(len(features)))
    lost = sorted(zip(features, found, strict=True), key=lambda one: -one[1].mean())
    return [{"feature": name, "loses": float(one.mean()), "spread": float(one.std())} for name, one in lost]
