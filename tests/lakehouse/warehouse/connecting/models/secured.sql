select ssl as is_secured from pg_stat_ssl where pid = pg_backend_pid()
