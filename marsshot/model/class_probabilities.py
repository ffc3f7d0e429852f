"""What a model's predict_proba returns, to the last bit, without what it costs a forest to ask its trees.

scikit-learn hands its settings and the list of warning filters to each tree anew, which takes longer than the tree's
answer for the tokens of a day.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, VotingClassifier

Floats = NDArray[np.float64]


def class_probabilities(estimator: Any, rows: pd.DataFrame) -> Floats:
    """Return the probabilities of the estimator's classes. Raises what predict_proba does."""
    is_vote = type(estimator) is VotingClassifier and estimator.voting == "soft" and estimator.weights is None
    if is_vote and hasattr(estimator, "estimators_"):
        votes: Floats = np.average([class_probabilities(one, rows) for one in estimator.estimators_], axis=0)
        return votes
    is_forest = type(estimator) is RandomForestClassifier and getattr(estimator, "n_outputs_", None) == 1
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(rows.to_numpy(), dtype=np.float32)
    is_askable = is_forest and list(rows.columns) == list(getattr(estimator, "feature_names_in_", ()))
    if not is_askable or np.isinf(values).any():  # scikit-learn says what is wrong
        found: Floats = estimator.predict_proba(rows)
        return found
    total = np.zeros((len(rows), len(estimator.classes_)))
    for tree in estimator.estimators_:
        total += tree.tree_.predict(values)
    return total / len(estimator.estimators_)
