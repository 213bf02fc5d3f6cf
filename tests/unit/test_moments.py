"""Times that no store can hold, or nobody can mean, come in neither as events nor as claims."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.ingest.adapters.building import from_http_date, from_iso, from_unix
from services.ingest.adapters.payloads.meta import window_after
from services.ingest.adapters.payloads.own_events import Stamp, translate
from services.ingest.adapters.payloads.slack_content import moment_of
from shared.clock import EARLIEST, LATEST, sound
from shared.events import Undecodable, decode, encode
from shared.events.envelope import Moment
from tests.support.builders import a_message_received
from tests.support.builders_ingest import IDS, NOW, api_keys, message_event

MOMENT = TypeAdapter(Moment)
EXTREMES = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00",
    "1969-12-31T23:59:59Z",
    "2200-01-01T00:00:00.001Z",
)
extremes = pytest.mark.parametrize("extreme", EXTREMES)
_MEANT = (datetime(1970, 1, 2), datetime(2199, 12, 30))  # noqa: DTZ001 - the zone is drawn
RECORD = {
    "contact_points": ["email:ana.kovac@example.si"],
    "recorded_at": "2026-11-01T00:00:00Z",
}


def refusal(event: dict[str, Any]) -> tuple[str, str]:
    events, errors = translate([event], Stamp(api_keys()["demo"].policy, NOW, IDS))
    assert events == []
    return errors[0].code, errors[0].message


@extremes
def test_an_event_at_a_time_that_cannot_be_meant_is_undecodable(extreme: str) -> None:
    sent = encode(a_message_received(window_closes_at=NOW)).decode()
    for known in ('"time":"', '"window_closes_at":"', '"received_at":"'):
        before, _, rest = sent.partition(known)
        damaged = f'{before}{known}{extreme}"{rest.partition(chr(34))[2]}'
        with pytest.raises(Undecodable, match=r"(greater|less)_than_equal"):
            decode("contact-events", damaged.encode())


@extremes
@pytest.mark.parametrize("name", ["time", "data_occurred_at"])
def test_an_integrators_claim_out_of_range_is_an_invalid_time(name: str, extreme: str) -> None:
    assert refusal(message_event(**{name: extreme}))[0] == "invalid-time"


@extremes
def test_an_integrator_is_told_which_other_time_is_out_of_range(extreme: str) -> None:
    code, message = refusal(message_event(data_window_closes_at=extreme))
    assert code == "invalid"
    assert "window_closes_at: time_out_of_range" in message
    purchase = {"purchase_id": "A-1", "what": "Box", "bought_at": extreme}
    kind = "throughline.customer.recorded.v1"
    _, message = refusal(message_event(type=kind, data={**RECORD, "purchases": [purchase]}))
    assert "purchases.0.bought_at: time_out_of_range" in message
    code, _ = refusal(message_event(type=kind, data={**RECORD, "recorded_at": extreme}))
    assert code == "invalid-time"


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_is_read_as_it_is_or_refused(moment: datetime) -> None:
    try:
        read = MOMENT.validate_python(moment)
    except ValidationError:
        assert not EARLIEST <= moment <= LATEST
        return
    assert EARLIEST <= moment <= LATEST
    assert read == moment


@given(st.datetimes(*_MEANT, timezones=st.timezones()))
def test_every_time_of_an_integrators_event_is_kept_in_utc_and_whole_milliseconds(
    moment: datetime,
) -> None:
    written = moment.isoformat()
    purchase = {"purchase_id": "A-1", "what": "Box", "bought_at": written}
    record = {**RECORD, "recorded_at": written, "purchases": [purchase]}
    kind = "throughline.customer.recorded.v1"
    stamp = Stamp(api_keys()["demo"].policy, NOW, IDS)
    given = [message_event(data_window_closes_at=written), message_event(type=kind, data=record)]
    (message, recorded), errors = translate(given, stamp)
    assert errors == []
    bought_at = recorded.data.purchases[0].bought_at
    for read in (message.data.window_closes_at, recorded.data.recorded_at, bought_at):
        assert read.tzinfo is UTC
        assert read == sound(datetime.fromisoformat(written))


def test_a_providers_claim_that_cannot_be_meant_is_no_claim() -> None:
    for written in ("99999999999", "9999999999999", "7258118400001"):
        assert from_unix(written) is None
    for written in EXTREMES:
        assert from_iso(written) is None
    assert from_http_date("Fri, 31 Dec 9999 23:59:59 -1200") is None
    assert moment_of("99999999999.000000") is None
    assert window_after(LATEST) is None
