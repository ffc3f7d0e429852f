# MarsShot in a container: small, not root, its own file system read-only. compose.yaml runs it; docs/guide.md explains.
FROM python:3.11-slim AS builder
COPY requirements.txt /
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /requirements.txt

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    MPLCONFIGDIR=/tmp/matplotlib
COPY --from=builder /venv /venv
COPY . /app
RUN python -m compileall -q /app \
    && install -d -o 1000 -g 1000 /data
USER 1000:1000
# Settings, book, log and model: a volume, so that they outlive the container.
WORKDIR /data
VOLUME /data
# SIGTERM is heard: the bot finishes the order in hand.
ENTRYPOINT ["python", "/app/main.py"]
CMD ["run"]
# Reads heartbeat.json, which the running bot writes once a minute.
HEALTHCHECK --interval=2m --timeout=20s --start-period=10m --retries=2 CMD ["python", "-m", "marsshot.monitoring.health_check"]
