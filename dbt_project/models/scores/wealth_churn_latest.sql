{{ score_latest('wealth_churn') }}
