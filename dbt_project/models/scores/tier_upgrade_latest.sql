{{ score_latest('tier_upgrade') }}
