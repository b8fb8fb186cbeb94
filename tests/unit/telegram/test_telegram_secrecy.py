import io
import logging

import pytest

from scalp_strategy.telegram.secrecy import hide, without_secrets

SECRET = "123456789:AAE-secret_of_this_test_alone"  # noqa: S105
URL = f"https://api.telegram.org/bot{SECRET}/sendMessage"


def fail():
    raise ValueError(URL)


class OneLine(logging.Formatter):
    """A formatter of somebody's own, as hosts have."""

    def formatException(self, info):  # noqa: N802
        return repr(info[1])


@pytest.fixture(params=[logging.Formatter, OneLine])
def logged(request):
    """A logger outside of the project, and what its handler writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(request.param("%(levelname)s %(message)s"))
    logger = logging.getLogger("somebody.else")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    hide(SECRET)
    yield logger, stream
    logger.removeHandler(handler)


def test_a_secret_is_hidden_wherever_it_is_said(logged):
    logger, stream = logged
    logger.info("POST %s", URL)
    logger.info(f"token {SECRET}")
    logger.info({"token": SECRET})
    logger.info("%(url)s", {"url": URL})
    logger.info("%d", URL)
    try:
        fail()
    except ValueError:
        logger.exception("It failed.")
    assert stream.getvalue()
    assert SECRET not in stream.getvalue()
    assert "It failed." in stream.getvalue()


def test_a_secret_in_the_cause_is_hidden_too(logged):
    logger, stream = logged
    try:
        try:
            fail()
        except ValueError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        logger.exception("It failed.")
    assert SECRET not in stream.getvalue()


def test_all_else_is_logged_as_before(logged):
    logger, stream = logged
    logger.warning("%s of %d", "one", 2)
    assert stream.getvalue() == "WARNING one of 2\n"


def test_hiding_twice_or_nothing_changes_nothing():
    hide(SECRET)
    factory = logging.getLogRecordFactory()
    hide(SECRET)
    hide("")
    assert logging.getLogRecordFactory() is factory
    assert without_secrets(f"a {SECRET} b") == "a [hidden] b"
    assert without_secrets("text") == "text"
