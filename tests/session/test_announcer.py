from sylk.session.announcer import MAX_ANNOUNCEMENTS, Announcer, Board


def test_what_is_announced_is_on_the_board_until_it_is_withdrawn() -> None:
    board = Board()
    announcer = Announcer(board, ("echo",), is_default=False)
    changes: list[int] = []
    board.on_changed = lambda announcement: changes.append(announcement in board)
    room = announcer.publish("Lobby", "lobby", focus=True, note="no participants")
    assert [one.announced.name for one in board] == ["Lobby"]
    first = room.announced
    room.update("one participant")
    assert room.announced.note == "one participant"
    assert room.announced.name == "Lobby"
    assert room.announced.instance_id == first.instance_id
    # What is the same is no news.
    room.update("one participant")
    room.withdraw()
    room.withdraw()
    assert changes == [True, True, False]


def test_each_is_known_by_an_id_of_its_own() -> None:
    announcer = Announcer(Board(), (), is_default=True)
    both = [announcer.publish("Lobby", "lobby") for _ in range(2)]
    assert both[0].announced.instance_id != both[1].announced.instance_id


def test_only_so_many_are_announced() -> None:
    board = Board()
    announcer = Announcer(board, (), is_default=True)
    all_of_them = [announcer.publish("x", str(one)) for one in range(MAX_ANNOUNCEMENTS + 1)]
    assert list(board) == all_of_them[:-1]
    all_of_them[0].withdraw()
    assert list(board) == all_of_them[1:]
