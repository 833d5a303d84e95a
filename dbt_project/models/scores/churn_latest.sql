{{ score_latest('churn') }}
