{{ score_latest('deposit_churn') }}
