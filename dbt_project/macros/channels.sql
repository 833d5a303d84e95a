{# The channel's name: core banking and complaints say counter and mobile for what all else calls branch and app. #}
{% macro channel_name(channel) -%}
    case {{ channel }} when 'counter' then 'branch' when 'mobile' then 'app' else {{ channel }} end
{%- endmacro %}

{# The channel of a touch that is a row of fct_contacts: the bank's contacts go by who makes them, complaints by where
   they come in. #}
{% macro contact_channel() -%}
    case
        when contact_kind = 'rm_contact' then 'rm'
        when contact_kind in ('campaign_touch', 'action') then 'campaign'
        else channel
    end
{%- endmacro %}
