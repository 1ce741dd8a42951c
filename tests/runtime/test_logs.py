"""Log lines hold no secret, in either format."""

import json
import logging

import pytest

from modelsync.runtime.telemetry import log_setup

SECRET = "s3cr3t-value"


@pytest.mark.parametrize(
    "line",
    [
        f"GET https://origin.example/file?X-Amz-Signature={SECRET}&a=b failed",
        f"Authorization: Bearer {SECRET}",
        f"headers={{'Authorization': 'Basic {SECRET}'}}",
        f"authorization={SECRET}",
        f"token bearer {SECRET}",
        f"cloning https://user:{SECRET}@origin.example/x",
        "token hf_" + SECRET.replace("-", ""),
    ],
)
def test_secrets_are_redacted(line: str) -> None:
    for formatter in (log_setup.TextFormatter(), log_setup.JsonFormatter()):
        record = logging.LogRecord("n", logging.INFO, "f", 1, "%s", (line,), None)
        written = formatter.format(record)
        assert SECRET not in written and SECRET.replace("-", "") not in written


def test_ordinary_words_stay() -> None:
    line = "started Job models/llama-1 from https://origin.example/file, basic checks done"
    assert log_setup.redact(line) == line


def test_json_lines_are_json_with_the_error() -> None:
    try:
        raise ValueError(f"https://x.example/y?key={SECRET}")
    except ValueError as error:
        record = logging.LogRecord(
            "n", logging.ERROR, "f", 1, "failed", (), (ValueError, error, error.__traceback__)
        )
    logged = json.loads(log_setup.JsonFormatter().format(record))
    assert (logged["level"], logged["message"]) == ("error", "failed")
    assert "ValueError" in logged["error"] and SECRET not in logged["error"]


def test_unforeseen_exceptions_are_counted_by_where_they_were_caught() -> None:
    counted: list[str] = []
    with log_setup.counted(counted.append):
        for name in (
            "modelsync.runtime.writes.status_writer",
            "modelsync.runtime.common.supervision",
            "asyncio",
            "kopf._core.reactor",
        ):
            logger = logging.getLogger(name)
            try:
                raise ValueError("odd")
            except ValueError:
                logger.exception("failed", extra={"part": "resync"} if name.endswith("supervision") else None)
                logger.warning("foreseen", exc_info=True)
            logger.error("without an exception")
    logging.getLogger("modelsync.runtime.writes.status_writer").error("later", exc_info=ValueError("odd"))
    assert counted == ["status_writer", "resync", "asyncio", "kopf"]
