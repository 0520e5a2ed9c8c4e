from __future__ import annotations

import numpy as np
import pytest

from model_tools.channel.room import reverberation_time_s
from model_tools.evaluation import rooms
from tests.model_tools.channel.measures import RATE_HZ, band

BOX = rooms.Box((5.0, 4.0, 3.0), (1.0, 1.5, 1.2), (3.0, 2.5, 1.7), (1.0, 1.1, 0.9, 1.0, 1.2, 0.8), (0.6,) * 7)


def test_images_are_where_mirrors_put_them() -> None:
    distances, weights = rooms.image_sources(BOX, 0.03)
    assert distances[0] == pytest.approx(np.sqrt(2.0**2 + 1.0**2 + 0.5**2), rel=1e-5)
    assert weights[0] == 0.0
    # The mirror image in the floor lies 1.2 m below it, that in the wall x = 5 at x = 9.
    for distance, weight in (
        (np.sqrt(2.0**2 + 1.0**2 + (1.2 + 1.7) ** 2), 1.2),
        (np.sqrt((9.0 - 3.0) ** 2 + 1.0**2 + 0.5**2), 1.1),
        (np.sqrt((1.0 + 3.0) ** 2 + 1.0**2 + 0.5**2), 1.0),
        (np.sqrt(2.0**2 + (1.5 + 2.5) ** 2 + 0.5**2), 0.9),
    ):
        nearest = int(np.abs(distances - distance).argmin())
        assert distances[nearest] == pytest.approx(distance, rel=1e-5)
        assert weights[nearest] == pytest.approx(weight)
    # One image per volume of the room.
    assert len(distances) == pytest.approx(4 / 3 * np.pi * (343.0 * 0.03) ** 3 / 60.0, rel=0.15)


def test_the_direct_sound_comes_first_and_the_floor_when_it_should() -> None:
    response = rooms.box_response(np.random.default_rng(1), BOX, RATE_HZ)
    direct = round(rooms.LEAD_S * RATE_HZ)
    early = np.abs(response[: direct + 100])
    assert abs(int(early.argmax()) - direct) <= 1
    assert early[: direct - 8].max() < 0.05 * early.max()
    path_m = np.sqrt(2.0**2 + 1.0**2 + 2.9**2) - np.sqrt(5.25)
    at = direct + path_m / 343.0 * RATE_HZ
    moved = 0.08 / 343.0 * RATE_HZ + 1
    window = early[int(at - moved) : int(at + moved) + 1]
    assert window.max() > 0.3 * early.max()


@pytest.mark.parametrize("number", range(40))
def test_every_room_has_its_reverberation_time(number: int) -> None:
    response = rooms.numbered_room(number, 0.6, RATE_HZ)
    assert reverberation_time_s(response, RATE_HZ) == pytest.approx(0.6, rel=0.15)
    assert reverberation_time_s(band(response, 354.0, 1_414.0), RATE_HZ) == pytest.approx(0.6, rel=0.15)
    assert np.sum(response.astype(np.float64) ** 2) == pytest.approx(1.0, rel=1e-4)


def test_other_times_can_be_had() -> None:
    for rt60_s in (0.3, 0.9):
        response = rooms.numbered_room(2, rt60_s, RATE_HZ)
        assert reverberation_time_s(response, RATE_HZ) == pytest.approx(rt60_s, rel=0.15)


def test_rooms_differ_and_come_again() -> None:
    first = rooms.numbered_room(0, 0.6, RATE_HZ).copy()
    rooms.numbered_room.cache_clear()
    np.testing.assert_array_equal(rooms.numbered_room(0, 0.6, RATE_HZ), first)
    other = rooms.numbered_room(1, 0.6, RATE_HZ)
    n = min(len(first), len(other))
    assert abs(np.corrcoef(first[100:n], other[100:n])[0, 1]) < 0.3
    with pytest.raises(ValueError, match="read-only"):
        other[0] = 1.0


def test_bands_add_up_to_one() -> None:
    hz = np.fft.rfftfreq(4_096, 1 / RATE_HZ)
    shapes = np.stack(rooms._bands(hz))
    np.testing.assert_allclose(shapes.sum(axis=0), 1.0)
    assert shapes.min() >= -1e-12
    for shape, centre_hz in zip(shapes, (125, 250, 500, 1_000, 2_000, 4_000, 8_000), strict=True):
        assert shape[np.abs(hz - centre_hz).argmin()] == pytest.approx(1.0)


def test_random_boxes_are_rooms() -> None:
    sizes = []
    for seed in range(200):
        box = rooms.random_box(np.random.default_rng(seed), 0.6)
        apart = np.linalg.norm(np.subtract(box.source_m, box.microphone_m))
        assert 0.8 <= apart <= 3.5
        for place in (box.source_m, box.microphone_m):
            assert all(0.4 <= at <= size - 0.4 for at, size in zip(place, box.size_m, strict=True))
        sizes.append(np.prod(box.size_m))
    assert min(sizes) < 35.0
    assert max(sizes) > 110.0
