{{ score_latest('uplift_retention', measure='uplift') }}
