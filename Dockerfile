# One image for the operator and the worker: they share the API types, and a node pulls it once.
#
#   docker build -t modelsync .
#
# BASE needs python3 (3.11 or newer) with venv and the CA certificates; nothing else of it is used. All packages
# are wheels, so no stage holds a compiler.
ARG BASE=python:3.13-slim

FROM ${BASE} AS dependencies
COPY requirements/image.txt /build/requirements.txt
RUN python3 -m venv /opt/modelsync \
 && /opt/modelsync/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r /build/requirements.txt

FROM dependencies AS build
COPY requirements/build.txt /build/tools.txt
RUN python3 -m venv /build/venv \
 && /build/venv/bin/python -m pip install --no-cache-dir --require-hashes -r /build/tools.txt
COPY pyproject.toml README.md LICENSE /build/source/
COPY operator /build/source/operator
# The wheel is installed, not the source tree; pip itself is taken out again, since nothing installs at run time.
RUN cd /build/source \
 && /build/venv/bin/python -m hatchling build -t wheel -d /build/wheel \
 && /opt/modelsync/bin/python -m pip install --no-cache-dir --no-compile --no-deps --no-index /build/wheel/*.whl \
 && /opt/modelsync/bin/python -m pip uninstall --yes --quiet pip \
 && find /opt/modelsync -type d -name tests -prune -exec rm -rf {} + \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/modelsync/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="modelsync" \
      org.opencontainers.image.description="Puts AI models onto Kubernetes volumes, and shows every byte of it" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/modelsync /opt/modelsync
ENV PATH=/opt/modelsync/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["modelsync"]
