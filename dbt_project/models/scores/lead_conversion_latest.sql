{{ score_latest('lead_conversion') }}
