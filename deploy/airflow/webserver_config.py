"""How people log in to Airflow (FAB): by the accounts of its database, whose passwords are kept as hashes.

A bank's directory takes its place here: AUTH_LDAP, AUTH_OAUTH or AUTH_REMOTE_USER of Flask-AppBuilder.
"""

from flask_appbuilder.const import AUTH_DB

AUTH_TYPE = AUTH_DB
AUTH_USER_REGISTRATION = False
WTF_CSRF_ENABLED = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
