{{ score_latest('product_propensity', kind='product_line') }}
