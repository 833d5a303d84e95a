{{ score_latest('credit_warning') }}
