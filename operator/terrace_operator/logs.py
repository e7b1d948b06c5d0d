"""Log lines for people and for machines: an event, then its facts as `key=value`, or one JSON object per line.

`_log.info("spec written", extra=fields(node=..., reason=...))`
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

_KEY = "terrace_fields"


def fields(**facts: object) -> dict[str, object]:
    """Returns the `extra` of a log call that carries facts."""
    return {_KEY: facts}


def configure(*, level: str, as_json: bool) -> None:
    """Sends everything at or above `level` to standard error; kopf's own chatter only if it is a warning."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if level != "DEBUG":
        logging.getLogger("kopf").setLevel(logging.WARNING)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{key}={_quoted(value)}" for key, value in _facts(record).items())
        module = record.name.rpartition(".")[2]
        line = f"{_time(record)} {record.levelname:<7} {module}: {record.getMessage()} {facts}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, _KEY, {})


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if not text or any(mark in text for mark in ' "=\n') else text
