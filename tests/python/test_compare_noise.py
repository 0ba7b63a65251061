"""Response times, judged: two runs of one module raise no alarm, a command that became slower is found."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from math import comb

import pytest

from modemrig.conformance.compare.noise import (
    FALSE_ALARMS,
    LEAST_S,
    Judged,
    Pairs,
    fewest_pairs,
    judge,
    sign_test,
)

SEEDS = 400
"""Comparisons; with the promised rate 4 of them raise an alarm, and more than 12 once in ten thousand times."""
MOST_ALARMS = 12
COMMANDS = [15, 20, 30, 40, 60, 100, 200, 400]
"""Pairs of each command."""
ENOUGH = COMMANDS.index(40)
"""From here on a command has pairs enough to be found although some of them waver the other way."""


def line_speed(draw: random.Random) -> float:
    """A virtual module: a fraction of a millisecond, now and then a scheduler's slice."""
    return draw.lognormvariate(-7.5, 0.6) + (0.02 if draw.random() < 0.1 else 0)


def real_module(draw: random.Random) -> float:
    """A UART and a USB adapter: some ten milliseconds, seldom a second."""
    return 0.012 + draw.uniform(0, 0.016) + (draw.expovariate(2) if draw.random() < 0.03 else 0)


def network(draw: random.Random) -> float:
    """A connection over the air: heavy tails."""
    return draw.lognormvariate(0, 1)


def runs(draw: random.Random, time: Callable[[random.Random], float], slower: float = 0.0) -> list[Pairs]:
    return [Pairs(tuple(time(draw) for _ in range(n)), tuple(time(draw) + slower for _ in range(n))) for n in COMMANDS]


def test_the_sign_test_is_the_binomial_distribution():
    for n in range(1, 40):
        for k in range(n + 1):
            exact = min(1.0, 2 * sum(comb(n, each) for each in range(min(k, n - k) + 1)) / 2**n)
            assert sign_test(k, n - k) == pytest.approx(exact, rel=1e-9)
    assert sign_test(0, 0) == 1.0
    assert sign_test(50_000, 0) == 0.0
    assert sign_test(25_000, 25_000) == 1.0


@pytest.mark.parametrize("time", [line_speed, real_module, network])
def test_equal_modules_raise_fewer_alarms_than_promised(time: Callable[[random.Random], float]):
    alarms = sum(any(each.moved for each in judge(runs(random.Random(seed), time))) for seed in range(SEEDS))
    assert alarms <= MOST_ALARMS


def test_the_test_alone_keeps_the_promise_without_the_least_move(monkeypatch: pytest.MonkeyPatch):
    """Over the air a median wavers by far more than the least move: the statistics must hold by themselves."""
    monkeypatch.setattr("modemrig.conformance.compare.noise.LEAST_S", 0.0)
    monkeypatch.setattr("modemrig.conformance.compare.noise.LEAST_SHARE", 0.0)
    alarms = sum(any(each.moved for each in judge(runs(random.Random(seed), network))) for seed in range(SEEDS))
    assert alarms <= MOST_ALARMS
    assert sum(careless(runs(random.Random(seed), network)) for seed in range(SEEDS)) > MOST_ALARMS, (
        "it would see nothing"
    )


def careless(samples: list[Pairs]) -> bool:
    """Each command by itself, at the same rate: what Holm's correction is for."""
    return any(
        sign_test(*(sum(map(is_so, pairs.before_s, pairs.after_s)) for is_so in (operator.lt, operator.gt)))
        < FALSE_ALARMS
        for pairs in samples
    )


@pytest.mark.parametrize(
    ("time", "slower"), [(line_speed, 0.008), (line_speed, 0.5), (real_module, 0.025), (network, 6.0)]
)
def test_a_clear_move_is_found_of_a_command_with_enough_pairs(time: Callable[[random.Random], float], slower: float):
    for seed in range(25):
        draw = random.Random(seed)
        there = runs(draw, time, slower)
        assert [each.moved for each in judge(there)][ENOUGH:] == [1] * len(COMMANDS[ENOUGH:]), seed
        back = [Pairs(pairs.after_s, pairs.before_s) for pairs in there]
        assert [each.moved for each in judge(back)][ENOUGH:] == [-1] * len(COMMANDS[ENOUGH:]), seed


def test_a_busier_computer_is_no_slower_module():
    draw = random.Random(7)
    pairs = runs(draw, line_speed, slower=LEAST_S * 0.6)
    judged = judge(pairs)
    assert all((each.chance or 0) < FALSE_ALARMS / len(COMMANDS) for each in judged[ENOUGH:]), "it would be proven"
    assert not any(each.moved for each in judged)


def test_a_busy_computer_scatters_and_a_slower_module_does_not():
    draw = random.Random(3)
    before = tuple(draw.uniform(0.0002, 0.0008) for _ in range(60))
    scattered = tuple(time + draw.expovariate(1 / 0.012) for time in before)
    (judged,) = judge([Pairs(before, scattered)])
    assert judged.moved == 0
    assert judged.chance is not None
    assert judged.chance < 1e-10, "it would be proven"
    assert judge([Pairs(before, tuple(time + 0.008 for time in before))])[0].moved == 1


def test_a_tenth_of_seconds_is_no_move():
    before = tuple(5.0 + n / 100 for n in range(50))
    assert judge([Pairs(before, tuple(time * 1.1 for time in before))])[0].moved == 0
    assert judge([Pairs(before, tuple(time * 1.3 for time in before))])[0].moved == 1


def test_one_slow_answer_among_many_is_no_move():
    before = tuple(0.001 + n * 1e-6 for n in range(100))
    assert judge([Pairs(before, (30.0, *before[1:]))])[0].moved == 0


def test_too_few_pairs_say_nothing_however_far_apart():
    assert judge([Pairs((0.001,) * 7, (9.0,) * 7)]) == [Judged(0, None)]
    assert judge([Pairs((0.001,) * 8, (9.0,) * 8)])[0].moved == 1


def test_commands_with_too_few_pairs_do_not_blind_the_others():
    enough = Pairs((0.001,) * 8, (9.0,) * 8)
    few = Pairs((0.001,) * 5, (0.001,) * 5)
    assert judge([enough, *[few] * 500])[0].moved == 1


@pytest.mark.parametrize(
    ("sizes", "fewest"), [([], 2), ([8], 8), ([7], 8), ([9, 9], 9), ([100] * 100, 15), ([3] * 50, 4)]
)
def test_as_many_pairs_are_wanted_as_commands_are_judged(sizes: list[int], fewest: int):
    assert fewest_pairs(sizes) == fewest
