# The demo's second image: what a consumer of the model would have. It opens tensors and a tokenizer.
ARG BASE=python:3.13-slim
FROM ${BASE}
COPY requirements/reader.txt /build/requirements.txt
RUN python3 -m venv /opt/reader \
 && /opt/reader/bin/python -m pip install --no-cache-dir --require-hashes -r /build/requirements.txt
ENV PATH=/opt/reader/bin:/usr/local/bin:/usr/bin:/bin
USER 65532:65532
