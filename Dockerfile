# MarsShot in a container: bot and dashboard, not root, its own file system read-only. compose.yaml runs both;
# docs/guide.md explains.
FROM python:3.13-slim AS base

FROM base AS builder
COPY requirements/dashboard.txt /requirements.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /requirements.txt
COPY . /app
# Whatever the umask was where this is built, the container's user reads it.
RUN python -m compileall -q /app \
    && chmod -R go+rX /app

FROM base
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    JOBLIB_TEMP_FOLDER=/tmp \
    MARSSHOT_COMMAND="docker compose exec marsshot marsshot"
COPY --from=builder /venv /venv
COPY --from=builder /app /app
RUN ln -s /app/deploy/container.sh /usr/local/bin/marsshot \
    && install -d -o 1000 -g 1000 /data
USER 1000:1000
# Book, log and model: a volume, so that they outlive the container. config.yaml is mounted there.
WORKDIR /data
VOLUME /data
# SIGTERM is heard: the bot finishes the order in hand.
ENTRYPOINT ["marsshot"]
CMD ["run"]
# Reads heartbeat.json, which the running bot writes once a minute.
HEALTHCHECK --interval=1m --timeout=20s --start-period=10m --retries=3 CMD ["marsshot", "health"]
