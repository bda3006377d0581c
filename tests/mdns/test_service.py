from sylk.mdns.record import Type, name_of
from sylk.mdns.service import (
    ALL_KINDS,
    instance_name,
    kind_name,
    label_of,
    numbered,
    numbered_host,
    records_of_host,
    records_of_service,
)
from tests.mdns.wire import KIND, LOBBY


def test_an_instance_is_one_label() -> None:
    name = instance_name(LOBBY.instance, KIND)
    assert label_of(name) == LOBBY.instance
    assert kind_name(KIND) == name_of("_sipuri", "_udp")
    assert name.is_subdomain(kind_name(KIND))


def test_who_comes_second_has_a_number() -> None:
    assert numbered("lobby", 1) == "lobby"
    assert numbered("lobby", 2) == "lobby (2)"
    assert numbered("x" * 80, 12) == "x" * 58 + " (12)"
    assert numbered_host("host", 3) == "host-3"


def test_a_service_is_pointed_to_from_its_kind() -> None:
    name, host = instance_name(LOBBY.instance, KIND), name_of("host")
    records = records_of_service(LOBBY, name, host)
    assert [record.rdtype for record in records.unique] == [Type.SRV, Type.TXT]
    assert all(record.is_unique and record.name == name for record in records.unique)
    assert [record.name for record in records.shared] == [kind_name(KIND), ALL_KINDS]
    assert not any(record.is_unique for record in records.shared)


def test_a_host_has_its_addresses() -> None:
    records = records_of_host(["192.0.2.1", "2001:db8::1"], name_of("host"))
    assert [record.rdtype for record in records.unique] == [Type.A, Type.AAAA]
    assert str(records.extra[0].data).endswith("A AAAA")
