"""Lines of other libraries: their templates and no arguments, an exception's place and not its message."""

import json
import logging

from arfc.serve.logs import JsonLines

MARK = "zebra-marker"


def test_arguments_and_messages_of_others_are_left_out(log, lines):
    try:
        raise ValueError(MARK)
    except ValueError:
        logging.getLogger("other").error("could not read %s", MARK, exc_info=True)
    logging.getLogger("httpx").info("HTTP Request: %s", MARK)
    (line,) = lines("could not read %s")
    assert (line["level"], line["logger"], line["exception"]) == ("error", "other", "ValueError")
    assert line["at"][0].endswith("test_arguments_and_messages_of_others_are_left_out")
    assert MARK not in log()
    assert len(log().splitlines()) == 1


def test_time_is_in_utc_with_milliseconds(lines):
    record = logging.makeLogRecord(
        {"name": "arfc.serve", "levelname": "INFO", "msg": "x", "created": 0.25, "msecs": 250.0}
    )
    assert json.loads(JsonLines().format(record)) == {"time": "1970-01-01T00:00:00.250Z", "level": "info", "event": "x"}
