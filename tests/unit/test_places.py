"""launcher/places.py: how databases share the places for steps."""

from launcher.places import Places


def test_one_database_may_take_all_places() -> None:
    places = Places(4)
    user = places.join(lambda: None)
    assert places.free(user, 0) == 4
    places.took(user, 4, 4)
    assert places.free(user, 4) == 0
    assert places.free(user, 6) == -2


def test_each_of_several_gets_its_part_and_one_without_any_gets_one() -> None:
    woken: list[str] = []
    places = Places(4)
    one, two = (places.join(lambda name=name: woken.append(name)) for name in ("one", "two"))  # type: ignore[misc]
    assert places.free(one, 0) == 4
    places.took(one, 4, 4)
    assert places.free(two, 0) == 1
    places.took(two, 1, 1)
    assert places.free(two, 1) == -1
    places.took(two, 0, -1)
    assert places.free(one, 3) == -1  # over its part: two wants more
    assert woken == ["two"]
    assert places.free(one, 2) == 0
    assert places.free(two, 1) == 1
    places.took(two, 0, 1)
    assert places.free(one, 2) == 1
    places.leave(two)
    assert places.free(one, 0) == 4
