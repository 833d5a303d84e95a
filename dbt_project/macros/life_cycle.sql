{# The rules of the life-cycle stages, the first that fits: (stage, reason code, condition). Limits come from the seed
   life_cycle_thresholds, phrases from life_cycle_reasons; docs/DECISIONLOG.md says why. #}
{% macro life_cycle_rules() %}
{{ return([
    ('prospect', 'nothing_opened', 'first_opened_date is null or days_since_opening < 0'),
    ('lost', 'all_closed', 'asset_count <= 0 and aum_amount < minimum_aum_amount'),
    ('lost', 'empty_and_silent', 'aum_amount < minimum_aum_amount and days_silent >= lost_days'),
    ('onboarding', 'opened_recently', 'days_since_opening < onboarding_days'),
    ('dormant', 'silent', 'days_silent >= dormant_days'),
    ('mature', 'not_compared', 'earlier_average_aum_amount is null'),
    (
        'declining',
        'assets_fell',
        'average_aum_3m_amount < earlier_average_aum_amount * (1 + declining_rate)'
        ~ ' and aum_amount < earlier_average_aum_amount',
    ),
    (
        'growing',
        'assets_rose',
        'average_aum_3m_amount > earlier_average_aum_amount * (1 + growing_rate)'
        ~ ' and aum_amount > earlier_average_aum_amount',
    ),
    (
        'mature',
        'assets_turned',
        'average_aum_3m_amount < earlier_average_aum_amount * (1 + declining_rate)'
        ~ ' or average_aum_3m_amount > earlier_average_aum_amount * (1 + growing_rate)',
    ),
    ('mature', 'assets_steady', 'true'),
]) }}
{% endmacro %}

{# The reason by which a customer is in a stage, of the rules alone: who was lost before is not asked here. #}
{% macro life_cycle_reason() -%}
    case
        {%- for stage, reason, condition in life_cycle_rules() %}
        when {{ condition }} then '{{ reason }}'
        {%- endfor %}
    end
{%- endmacro %}

{# The stage that a reason means. #}
{% macro life_cycle_stage(reason) -%}
    case {{ reason }}
        {%- for stage, code, condition in life_cycle_rules() %}
        when '{{ code }}' then '{{ stage }}'
        {%- endfor %}
        when 'back_after_loss' then 'won_back'
    end
{%- endmacro %}
