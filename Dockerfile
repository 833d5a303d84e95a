# One image for every part of the served deployment: the locked environment, and the project beside it.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE} AS environment
COPY requirements/bootstrap.lock requirements/requirements.lock /requirements/
RUN python -m venv /bootstrap \
    && /bootstrap/bin/pip install --no-cache-dir --no-deps --require-hashes -r /requirements/bootstrap.lock \
    && python -m venv --without-pip /opt/c360 \
    && VIRTUAL_ENV=/opt/c360 /bootstrap/bin/uv pip sync --no-cache --require-hashes --compile-bytecode /requirements/requirements.lock
COPY . /app
RUN VIRTUAL_ENV=/opt/c360 /bootstrap/bin/uv pip install --no-cache --no-deps --no-build-isolation --editable /app

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --create-home c360 \
    && install --directory --owner c360 --group c360 /data /data/landing /data/store /airflow
COPY --from=environment /opt/c360 /opt/c360
COPY --from=environment /app /app
ENV PATH=/opt/c360/bin:$PATH PYTHONUNBUFFERED=1 AIRFLOW_HOME=/airflow
USER c360
WORKDIR /app
CMD ["c360", "--help"]
