"""Tickets are good once, at one relay, for a minute."""

from dynamo import NOW

from records import sessions, tickets


def put(table, ticket="a-ticket", relay="r1", epoch=0):
    return tickets.put(table, ticket, tickets.Ticket("s1", epoch, relay, "https://app.example"), NOW)


def test_a_ticket_admits_once(table):
    assert put(table) == NOW + 60
    first = tickets.burn(table, "a-ticket", relay="r1", now=NOW + 1)
    assert first == tickets.Burn("ok", "s1", 0, "https://app.example")
    second = tickets.burn(table, "a-ticket", relay="r1", now=NOW + 1)
    assert (second.status, second.session) == ("used", "s1")


def test_a_ticket_expires_by_the_clock_and_not_by_the_tables_housekeeping(table):
    put(table)
    assert tickets.burn(table, "a-ticket", relay="r1", now=NOW + 60).status == "expired"
    assert tickets.burn(table, "a-ticket", relay="r1", now=NOW + 59).status == "ok"


def test_another_relay_learns_nothing_of_a_ticket(table):
    put(table)
    assert tickets.burn(table, "a-ticket", relay="r2", now=NOW) == tickets.Burn("unknown")
    assert tickets.burn(table, "forged", relay="r1", now=NOW) == tickets.Burn("unknown")


def test_of_sixteen_threads_one_burns_the_ticket(table, race):
    put(table)
    burns = race(lambda _: tickets.burn(table, "a-ticket", relay="r1", now=NOW))
    assert sorted(burn.status for burn in burns) == ["ok"] + ["used"] * 15


def test_a_repeated_write_whose_answer_was_lost_is_still_ours(table, client, monkeypatch):
    put(table)
    update_item = client.update_item

    def send_twice(**request):
        monkeypatch.setattr(client, "update_item", update_item)
        update_item(**request)
        return update_item(**request)

    monkeypatch.setattr(client, "update_item", send_twice)
    assert tickets.burn(table, "a-ticket", relay="r1", now=NOW).status == "ok"


def test_the_ticket_itself_is_not_stored(table, client, table_name):
    put(table)
    assert "a-ticket" not in repr(client.scan(TableName=table_name)["Items"])


def test_burning_marks_the_session_as_joined(table, open_session):
    assert not open_session().is_joined
    put(table)
    tickets.burn(table, "a-ticket", relay="r1", now=NOW)
    assert sessions.load(table, "s1").joined_epoch == 0  # still without a relay: epoch 0 is nobody's
