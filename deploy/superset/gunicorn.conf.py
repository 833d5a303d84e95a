"""Superset's web server: `gunicorn --config gunicorn.conf.py "superset.app:create_app()"`."""

import os

bind = os.environ.get("C360_BI_BIND", "127.0.0.1:8361")
workers = 2
worker_class = "gthread"
threads = 8
timeout = 120
graceful_timeout = 10
accesslog = None
