"""RetainedBoard: the newest payload of each topic, sent once and again when asked for."""

from __future__ import annotations

from aed_daemon.sinks.board import RetainedBoard


def taken(board: RetainedBoard) -> list[tuple[str, str]]:
    messages = []
    while (message := board.take()) is not None:
        messages.append(message)
    return messages


def test_only_the_newest_of_each_topic_is_sent() -> None:
    board = RetainedBoard()
    for state in ("OFF", "ON", "OFF"):
        board.set("a", state)
    board.set("b", "ON")
    assert not board.settled
    assert taken(board) == [("a", "OFF"), ("b", "ON")]
    assert board.settled


def test_what_does_not_change_is_not_sent_again() -> None:
    board = RetainedBoard()
    assert board.set("a", "ON")
    taken(board)
    assert not board.set("a", "ON")
    assert taken(board) == []


def test_everything_is_sent_again_after_a_new_connection_in_the_first_order() -> None:
    board = RetainedBoard()
    board.set("state", "online")
    board.set("a", "OFF")
    taken(board)
    board.set("a", "ON")
    board.all_unsent()
    assert taken(board) == [("state", "online"), ("a", "ON")]
