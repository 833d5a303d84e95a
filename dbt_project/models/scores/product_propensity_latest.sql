{{ score_latest('product_propensity', kind='product_line', use="'propensity_' || resolved.kind") }}
