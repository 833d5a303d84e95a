{# A value in words, by the unit that the seed reason_phrases gives its feature; `ml_jobs.scores.reasons.STEPS` rounds
   alike. A value at the feature's cap stands for all beyond it. #}
{% macro in_words(value, language) %}
{%- set capped = "least(" ~ value ~ ", coalesce(phrases.capped_at, " ~ value ~ "))" -%}
{%- set whole = "cast(floor(" ~ capped ~ " + 0.5) as bigint)" -%}
{%- set percent = "cast(floor(" ~ capped ~ " * 100 + 0.5) as bigint)" -%}
{%- set tenths = "cast(floor(" ~ capped ~ " * 10 + 0.5) as bigint)" -%}
{%- set lengths = {'days': ['day', '天'], 'months': ['month', '个月'], 'years': ['year', '岁']} -%}
case phrases.unit
    when 'amount' then
        {%- if language == 'en' %} '{{ var("currency") }} ' || {{ thousands(whole) }}
        {%- else %} {{ thousands(whole) }} || ' {{ var("currency") }}'{% endif %}
    when 'share' then cast({{ percent }} as varchar) || '{{ " %" if language == "en" else "%" }}'
    when 'yes_no' then cast({{ percent }} as varchar) || '{{ " %" if language == "en" else "%" }}'
    when 'ratio' then
        case when {{ tenths }} < 0 then '-' else '' end
        || cast(cast(floor(abs({{ tenths }}) / 10) as bigint) as varchar)
        || '.' || cast(mod(abs({{ tenths }}), 10) as varchar)
    {%- for unit, names in lengths.items() %}
    when '{{ unit }}' then
        {{ thousands(whole) }}
        {%- if language == 'en' %} || case when {{ whole }} = 1 then ' {{ names[0] }}' else ' {{ names[0] }}s' end
        {%- else %} || '{{ names[1] }}'{% endif %}
        || case when {{ value }} >= phrases.capped_at then '{{ " or more" if language == "en" else "以上" }}' else '' end
    {%- endfor %}
    when 'tier' then
        {%- if language == 'en' %}
        cast({{ whole }} as varchar) || case when {{ whole }} = 1 then ' star' else ' stars' end
        {%- else %} cast({{ whole }} as varchar) || '星'{% endif %}
    when 'risk' then 'R' || cast({{ whole }} as varchar)
    else {{ thousands(whole) }}
end
{% endmacro %}

{# Why, in a sentence: direction, value, comparison, and the date where the seed asks for one. Reads `reasons` (value,
   reference, the day that the score speaks of, and dates of the last events) and `phrases`. #}
{% macro reason_sentence(language) %}
{%- set en = language == 'en' -%}
{%- set last = ", the last on " if en else "，最近一次" -%}
replace(
    replace(
        case
            when reasons.reason_value > reasons.reason_reference then phrases.high_{{ language }}
            else phrases.low_{{ language }}
        end,
        '{value}', {{ in_words('reasons.reason_value', language) }}
    ),
    '{on}', coalesce(
        case
            when phrases.dated_by = 'value' and reasons.reason_value < coalesce(phrases.capped_at, 1000000)
                then
                    {%- if en %} ' (on ' || cast(reasons.value_date as varchar) || ')'
                    {%- else %} '（' || cast(reasons.value_date as varchar) || '）'{% endif %}
            when phrases.dated_by = 'complaint' and reasons.reason_value > 0
                then '{{ last }}' || cast(reasons.complaint_date as varchar)
            when phrases.dated_by = 'complaint_visit' and reasons.reason_value > 0
                then '{{ last }}' || cast(reasons.complaint_visit_date as varchar)
        end, ''
    )
)
|| '{{ " (similar customers: " if en else "（同类客户：" }}' || {{ in_words('reasons.reason_reference', language) }}
|| case
    when phrases.unit = 'yes_no' then '{{ " have this" if en else "如此" }}'
    else ''
end
|| case
    when phrases.dated_by = 'as_of' or reasons.is_dated
        then '{{ "; as of " if en else "；截至" }}' || cast(reasons.as_of_date as varchar)
    else ''
end || '{{ ")" if en else "）" }}'
{% endmacro %}

{# A sentence of the seed forecast_phrases with its shares, given by their names in braces, in per cent. #}
{% macro forecast_sentence(sentence, language, shares) -%}
{%- for name in shares %}replace({% endfor -%}
{{ sentence }}
{%- for name, share in shares.items() -%}
, '{{ "{" ~ name ~ "}" }}', coalesce(
    cast(cast(floor({{ share }} * 100 + 0.5) as bigint) as varchar) || '{{ " %" if language == "en" else "%" }}', ''
))
{%- endfor %}
{%- endmacro %}
