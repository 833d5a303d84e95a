{{ score_latest('enterprise_liquidity') }}
