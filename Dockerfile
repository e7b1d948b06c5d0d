# Two images from one file: --target agent and --target operator (see `make images`).
# BASE: any image with Python 3.11 or newer and pip.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS agent-files
COPY deploy/locks/agent.txt /build/lock.txt
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
    --require-hashes --only-binary=:all: --target /opt/terrace -r /build/lock.txt
COPY api/terrace_api /opt/terrace/terrace_api
COPY agent/terrace_agent /opt/terrace/terrace_agent
RUN python3 -m compileall -q /opt/terrace/terrace_api /opt/terrace/terrace_agent

FROM ${BASE} AS operator-files
COPY deploy/locks/operator.txt /build/lock.txt
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
    --require-hashes --only-binary=:all: --target /opt/terrace -r /build/lock.txt
COPY api/terrace_api /opt/terrace/terrace_api
COPY operator/terrace_operator /opt/terrace/terrace_operator
RUN python3 -m compileall -q /opt/terrace/terrace_api /opt/terrace/terrace_operator

# The agent stores to files that only uid 0 may write; it needs no capability.
FROM ${BASE} AS agent
LABEL org.opencontainers.image.title="terrace-agent" org.opencontainers.image.licenses="Apache-2.0"
ENV PYTHONPATH=/opt/terrace PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=agent-files /opt/terrace /opt/terrace
USER 0
ENTRYPOINT ["python3", "-m", "terrace_agent"]

FROM ${BASE} AS operator
LABEL org.opencontainers.image.title="terrace-operator" org.opencontainers.image.licenses="Apache-2.0"
ENV PYTHONPATH=/opt/terrace PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=operator-files /opt/terrace /opt/terrace
USER 65532
ENTRYPOINT ["python3", "-m", "terrace_operator"]
