"""c2st of synthetic tables as ../shared/bench/evaluate.py does it: XGBoost accuracy in five folds; 0.5 is best.

Runs in .venv-ctgan. Prints one JSON list, an accuracy for each file.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier


def features(real: pd.DataFrame, synthetic: pd.DataFrame) -> np.ndarray:
    """Numbers as they are, strings one-hot: (2 n, f)."""
    both = pd.concat([real, synthetic], ignore_index=True)[list(real.columns)]
    words = [name for name in both.columns if not pd.api.types.is_numeric_dtype(both[name])]
    return pd.get_dummies(both, columns=words).to_numpy(dtype=np.float32)


def accuracy(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    rows = min(len(real), len(synthetic))
    real, synthetic = real.sample(rows, random_state=0), synthetic.sample(rows, random_state=0)
    x, y = features(real, synthetic), np.repeat([1, 0], rows)
    right = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=42).split(x, y):
        model = XGBClassifier(seed=0, n_jobs=1, tree_method="hist").fit(x[train], y[train])
        right.append(model.predict(x[test]) == y[test])
    return float(np.concatenate(right).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real")
    parser.add_argument("synthetic", nargs="+")
    arguments = parser.parse_args()
    real = pd.read_parquet(arguments.real)
    print(json.dumps([round(accuracy(real, pd.read_parquet(path)), 4) for path in arguments.synthetic]))


if __name__ == "__main__":
    main()
