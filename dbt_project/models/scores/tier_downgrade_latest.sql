{{ score_latest('tier_downgrade') }}
