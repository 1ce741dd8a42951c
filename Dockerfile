# One image for the operator and the worker: they share the API types, and a node pulls it once.
#
#   docker build -t modelsync .
#
# BASE is a Debian (or derivative) with python3 (3.11 or newer), venv and the CA certificates. Nothing of it gets into
# the image but what dev/image/rootfs.py copies: no shell, no package manager, no program but Python. It is named by
# digest, so that the same files are copied tomorrow; to renew it, look up the tag's digest and change both. All
# packages are wheels, so no stage holds a compiler.
ARG BASE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS dependencies
COPY requirements/image.txt /build/requirements.txt
RUN python3 -m venv /opt/modelsync \
 && /opt/modelsync/bin/python -m pip install --no-cache-dir --no-compile --require-hashes -r /build/requirements.txt \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/modelsync/lib

FROM dependencies AS root
COPY dev/image/rootfs.py /build/rootfs.py
RUN python3 /build/rootfs.py /opt/modelsync /rootfs \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /rootfs -p / /rootfs/usr

# Without pip, since nothing installs at run time, and without what else nothing runs with.
FROM dependencies AS packages
RUN /opt/modelsync/bin/python -m pip uninstall --yes --quiet pip \
 && find /opt/modelsync -type d -name tests -prune -exec rm -rf {} + \
 && find /opt/modelsync/bin -type f -delete \
 && find /opt/modelsync/lib -name '*.sh' -delete

# The wheel is installed, not the source tree, and into a folder of its own: what changes with each version is a
# layer of its own above the packages, so a node that has the version before pulls little.
FROM packages AS build
COPY requirements/build.txt /build/tools.txt
RUN python3 -m venv /build/venv \
 && /build/venv/bin/python -m pip install --no-cache-dir --require-hashes -r /build/tools.txt
COPY --from=root /rootfs /rootfs
COPY dev/image/sbom.py /build/sbom.py
COPY pyproject.toml README.md LICENSE /build/source/
COPY operator /build/source/operator
RUN cd /build/source \
 && /build/venv/bin/python -m hatchling build -t wheel -d /build/wheel \
 && /build/venv/bin/python -m pip --python /opt/modelsync/bin/python install --root /build/modelsync \
    --no-cache-dir --no-compile --no-deps --no-index /build/wheel/*.whl \
 && find /build/modelsync -path '*/bin/*' ! -name modelsync ! -name kubectl-modelsync -delete \
 && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -s /build/modelsync -p / /build/modelsync \
 && cp -a /build/modelsync/. / \
 && /build/venv/bin/python /build/sbom.py /opt/modelsync /rootfs > /build/modelsync/opt/modelsync/sbom.cdx.json

FROM scratch
LABEL org.opencontainers.image.title="modelsync" \
      org.opencontainers.image.description="Puts AI models onto Kubernetes volumes, and shows every byte of it" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=root /rootfs /
COPY --from=packages /opt/modelsync /opt/modelsync
COPY --from=build /build/modelsync /
ENV PATH=/opt/modelsync/bin \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["modelsync"]
