"""What a report says of a run: where the time went, failures, verdicts, stories, tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ipp_richsched.client.holdups import Level
from ipp_richsched.monitor.report.account import EngineTime, TaskTime, account_of
from ipp_richsched.monitor.report.failures import causes_of, failures_of
from ipp_richsched.monitor.report.stories import story_of
from ipp_richsched.monitor.report.tables import engine_rows, group_rows, slowest
from ipp_richsched.monitor.report.verdict import headline, verdict
from ipp_richsched.monitor.report.words import count_text, names_text, seconds_text, share_text
from ipp_richsched.workflows.runs import Life, Run, TaskRun

from .test_pictures import RUN, START, UNFINISHED, run_of, task
from .test_run_figures import random_run


def ran(name: str, engine: int, start: float, end: float, **fields: Any) -> TaskRun:
    """A task that succeeded at once."""
    return task(name, (engine, start, end, "succeeded"), **fields)


def never_ran(name: str, at: float, problem: str, **fields: Any) -> TaskRun:
    return task(name, state="never ran", ended=START + at, problem=problem, **fields)


def failed(name: str, engine: int, start: float, end: float, **fields: Any) -> TaskRun:
    return task(name, (engine, start, end, "failed"), **{"problem": "ValueError", **fields})


def engine_times(run: Run) -> dict[str, EngineTime]:
    """To the microsecond."""
    return {
        engine: EngineTime(*(round(each, 6) for each in vars(time).values()))
        for engine, time in account_of(run).engines.items()
    }


# -- where the time went -----------------------------------------------------------------


def test_engines_that_wait_for_the_last_task() -> None:
    run = run_of(ran("a", 0, 0, 2), ran("b", 1, 0, 10), ran("c", 0, 10, 12, parents=("b",)))
    assert engine_times(run) == {
        "engine 0": EngineTime(running=4, starved=8),
        "engine 1": EngineTime(running=10, starved=2),
    }
    account = account_of(run)
    assert account.blocking == {"b": 8, "c": 2}
    assert account.engine_total == EngineTime(running=14, starved=10)
    assert account.engine_total.total == 24
    assert account.tasks["c"] == TaskTime(waiting=10, queueing=0, running=2)
    assert account.task_total == TaskTime(waiting=10, queueing=0, running=14)


def test_tasks_that_run_at_once_share_the_blame() -> None:
    run = run_of(
        *(ran(name, number, 0, 10) for number, name in enumerate("ab")),
        *(ran(name, number, 0, 1) for number, name in enumerate("cd", 2)),
    )
    assert account_of(run).blocking == {"a": 9, "b": 9}


def test_the_time_between_two_tasks_is_overhead_if_it_is_short() -> None:
    run = run_of(ran("a", 0, 0, 1), ran("b", 0, 1.25, 2), ran("c", 0, 4, 5))
    assert engine_times(run) == {"engine 0": EngineTime(2.75, 0.25, 0, 2.0)}
    assert account_of(run).passed_over == {"c": 2}
    assert account_of(run).tasks["c"] == TaskTime(0, 4, 1)


def test_an_engine_that_is_idle_although_tasks_are_ready() -> None:
    """Both tasks may run on engine 0 only."""
    run = run_of(ran("a", 0, 0, 4), ran("b", 0, 4, 8), ran("c", 1, 0, 1))
    assert engine_times(run)["engine 1"] == EngineTime(running=1, starved=4, passed_over=3)
    assert account_of(run).passed_over == {"b": 3}


def test_a_gap_is_divided_at_the_moment_when_a_task_became_ready() -> None:
    run = run_of(ran("a", 0, 0, 1), ran("b", 1, 0, 5), ran("c", 0, 5.25, 6, parents=("a", "b")))
    assert engine_times(run)["engine 0"] == EngineTime(running=1.75, overhead=0.25, starved=4)


def test_an_engine_is_counted_while_it_is_there() -> None:
    lives = (
        Life("engine 0", START - 100, START + 10, False),
        Life("engine 1", START - 100, START + 4, True),
        Life("engine 1", START + 6, START + 10, False),
        Life("engine 2", START + 20, START + 30, False),
        Life("engine 3", START + 8, START + 90, False),
    )
    run = run_of(ran("a", 0, 0, 10), ran("b", 1, 0, 3), ran("c", 1, 6, 7, submitted=START + 6))
    run = replace(run, lives=lives)
    assert engine_times(run) == {
        "engine 0": EngineTime(running=10),
        "engine 1": EngineTime(running=4, starved=4),
        "engine 2": EngineTime(),
        "engine 3": EngineTime(starved=2),
    }


def test_an_engine_of_which_only_its_death_is_known() -> None:
    run = run_of(
        task("a", (0, 0, 3, "died"), (1, 3, 5, "succeeded")), ran("b", 1, 5, 10, parents=("a",))
    )
    assert engine_times(run)["engine 0"] == EngineTime(running=3)


def test_the_time_of_tasks() -> None:
    account = account_of(RUN)
    assert account.tasks["fetch-1"] == TaskTime(waiting=0, queueing=1, running=2.5)
    assert account.tasks["late"] == TaskTime(waiting=0, queueing=4, running=0)
    account = account_of(UNFINISHED)
    assert account.tasks["c"] == TaskTime(waiting=10, queueing=0, running=0)
    assert account.tasks["b"] == TaskTime(waiting=2, queueing=0, running=8)


def test_many_tasks_on_many_engines_account_for_all_of_the_time() -> None:
    for seed in range(20):
        run = random_run(seed)
        total = account_of(run).engine_total
        assert total.total >= 0
        for each in vars(total).values():
            assert each >= -1e-6


# -- failures ----------------------------------------------------------------------------

FAILURES = run_of(
    failed("load-1", 0, 0, 1, error="no such file: run1.dat"),
    failed("load-2", 0, 1, 2, error="no such file: run2.dat"),
    failed("fit-1", 1, 0, 5, problem="MemoryError", error=""),
    never_ran("plot-1", 1, "ImpossibleDependency", parents=("load-1",)),
    never_ran("plot-2", 2, "ImpossibleDependency", parents=("load-2", "plot-1")),
    never_ran("page", 5, "ImpossibleDependency", parents=("plot-2", "fit-1")),
    never_ran("late", 3, "TaskTimeout", parents=("load-1",), error="it waited for 3 s"),
    never_ran("stranded", 3, "ImpossibleDependency", error="nobody may run it"),
    ran("good", 1, 5, 6),
)


def test_failures_by_that_with_which_they_began() -> None:
    assert [
        (group.problem, group.error, group.began, group.entailed) for group in failures_of(FAILURES)
    ] == [
        (
            "ValueError",
            "no such file: run1.dat",
            ["load-1", "load-2"],
            ["plot-1", "plot-2", "page"],
        ),
        ("MemoryError", "", ["fit-1"], []),
        ("TaskTimeout", "it waited for 3 s", ["late"], []),
        ("ImpossibleDependency", "nobody may run it", ["stranded"], []),
    ]
    assert causes_of(FAILURES)["page"] == "load-1"  # the first of them


def test_what_a_log_says_of_a_cause_counts() -> None:
    run = run_of(
        failed("a", 0, 0, 1),
        failed("b", 0, 1, 2, problem="KeyError"),
        never_ran("c", 2, "ImpossibleDependency", parents=("a", "b"), cause="b"),
        never_ran("d", 2, "ImpossibleDependency", parents=("a",), cause="not in the run"),
    )
    assert causes_of(run) == {"a": "a", "b": "b", "c": "b", "d": "a"}


def test_a_chain_of_failures_may_be_long() -> None:
    tasks = [failed("t-0", 0, 0, 1)]
    for each in range(1, 5_000):
        parent = f"t-{each - 1}"
        tasks.append(never_ran(f"t-{each}", 1, "ImpossibleDependency", parents=(parent,)))
    [group] = failures_of(run_of(*tasks))
    assert (group.began, len(group.entailed)) == (["t-0"], 4_999)


# -- what held it up ---------------------------------------------------------------------


def told(run: Run) -> list[tuple[str, str]]:
    return [
        (each.level.name, each.text) for each in verdict(run, account_of(run), failures_of(run))
    ]


def test_nothing_held_it_up() -> None:
    run = run_of(ran("a", 0, 0, 10), ran("b", 1, 0, 9.5))
    assert told(run) == [("CALM", "Nothing held the run up. Engines worked 98 % of the time.")]
    assert headline(run) == "2 tasks on 2 engines in 10 s: all succeeded."
    assert headline(run_of(ran("a", 0, 0, 1))) == "1 task on 1 engine in 1 s: it succeeded."


def test_a_run_of_nothing() -> None:
    assert told(run_of()) == [("CALM", "There was nothing to do.")]
    assert headline(run_of()) == "No task was submitted."


def test_failures_come_first() -> None:
    first, second, third, *_ = told(FAILURES)
    assert first == (
        "STUCK",
        "2 tasks failed with ValueError: no such file: run1.dat (the first was load-1, after 1 s)."
        " Because of that 3 others never ran.",
    )
    assert second == ("STUCK", "1 task failed with MemoryError (fit-1, after 5 s).")
    assert third == ("STUCK", "2 more tasks failed for other reasons, see below.")
    assert headline(FAILURES) == (
        "9 tasks on 2 engines in 6 s: 1 succeeded, 8 failed (5 of them never ran)."
    )


def test_more_engines_would_help() -> None:
    run = run_of(*(ran(f"t-{each}", 0, each, each + 1) for each in range(10)))
    assert told(run) == [
        ("BUSY", "Engines worked 100 % of the time: more engines would make it faster.")
    ]


def test_a_chain_of_tasks_decides() -> None:
    chain = [ran("fit-0", 0, 0, 4)]
    for each in range(1, 5):
        chain.append(ran(f"fit-{each}", 0, 4 * each, 4 * each + 4, parents=(f"fit-{each - 1}",)))
    found = told(run_of(*chain, ran("other", 1, 0, 16)))
    assert found == [
        (
            "HELD",
            "A chain of 5 tasks, each of which waits for the one before, took 20 s of the 20 s:"
            " more engines would not help, only shorter tasks there. Most of it is fit (20 s).",
        )
    ]


def test_engines_wait_for_one_task() -> None:
    run = run_of(
        ran("merge", 0, 0, 20),
        *(ran(f"load-{each}", each, 0, 2) for each in range(1, 8)),
        *(ran(f"plot-{each}", each, 20, 30, parents=("merge",)) for each in range(8)),
    )
    assert (
        "HELD",
        "Engines were idle 52 % of the time since no task was ready, most of it while merge ran"
        " for 20 s on engine 0.",
    ) in told(run)


def test_engines_wait_for_tasks_of_a_label() -> None:
    run = run_of(
        *(ran(f"fit-{each}", each, 0, 20) for each in range(5)),
        *(ran(f"load-{each}", 5 + each, 0, 2) for each in range(20)),
    )
    [(_, text)] = told(run)
    assert text.endswith("since no task was ready, most of it while tasks of fit ran.")


def test_engines_wait_for_whoever_submits_the_next_tasks() -> None:
    run = run_of(ran("first", 0, 0, 2), ran("next", 1, 60, 62, submitted=START + 60))
    [(_, text)] = told(run)
    assert text.endswith("since no task was ready, most of it while no task ran at all.")


def test_tasks_are_too_short() -> None:
    tasks = [ran(f"t-{each}", 0, each / 100, each / 100 + 0.004) for each in range(200)]
    assert told(run_of(*tasks)) == [
        (
            "HELD",
            "60 % of the engines' time passed between tasks, half of which take less than 4 ms: put"
            " more work into one task.",
        )
    ]


def test_tasks_could_run_elsewhere_only() -> None:
    run = run_of(
        *(ran(f"t-{each}", 0, 2 * each, 2 * each + 2) for each in range(10)), ran("u", 1, 0, 2)
    )
    assert [text for _, text in told(run)] == [
        "Engines were idle 40 % of the time although tasks were ready, most of them t. These could"
        " run elsewhere only, or stood behind others on a busy engine.",
    ]


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("given back", "were given back by an engine that could not run them then"),
        ("failed", "waited for a retry"),
        ("died", "waited for the grace of a dead engine to end"),
    ],
)
def test_only_what_the_run_shows_is_said_of_engines_that_were_idle(end: str, why: str) -> None:
    tried = task("t", (0, 0, 1, end), (0, 11, 20, "succeeded"))
    texts = [text for _, text in told(run_of(tried, ran("u", 1, 0, 20), ran("v", 2, 0, 20)))]
    [text] = [text for text in texts if "although tasks were ready" in text]
    assert text.endswith(f" although tasks were ready, most of them t. These {why}.")
    late = ran("w", 2, 11, 20)  # could have run before, as well
    texts = [text for _, text in told(run_of(tried, ran("u", 1, 0, 20), late))]
    [text] = [text for text in texts if "although tasks were ready" in text]
    assert text.endswith(
        f" These could run elsewhere only, or stood behind others on a busy engine, or {why}."
    )


def test_a_death_that_cost_nothing_but_time() -> None:
    run = run_of(
        task("a", (0, 0, 3, "died"), (1, 3, 10, "succeeded")), ran("b", 1, 0, 3), ran("c", 2, 0, 9)
    )
    assert told(run) == [
        (
            "HELD",
            "Engine 0 died after 3 s, while it had a, which was run again. 2 engines went on.",
        )
    ]


def test_deaths_with_which_tasks_are_lost() -> None:
    died = {"problem": "EngineError", "state": "failed", "error": "engine died"}
    run = run_of(
        task("a-1", (0, 0, 3, "died"), **died),
        task("a-2", (0, 3, 3, "died"), **died),
        task("a-3", (1, 0, 5, "died"), (2, 5, 9, "succeeded")),
        never_ran("b", 3, "ImpossibleDependency", parents=("a-1",)),
        ran("c", 2, 0, 5),
    )
    first = told(run)[0]
    assert first == (
        "STUCK",
        "2 engines died (engine 0 and engine 1), with 3 tasks, 1 of which was run again. 1 engine"
        " went on. Because of that 1 other never ran.",
    )


def test_work_that_had_to_be_repeated() -> None:
    run = run_of(task("a", (0, 0, 5, "failed"), (0, 5, 10, "succeeded")), ran("b", 1, 0, 10))
    assert (
        "HELD",
        "1 attempt had to be repeated: 25 % of the engines' time was lost with it.",
    ) in (told(run))


def test_what_has_not_ended() -> None:
    assert told(UNFINISHED)[0] == (
        "HELD",
        "3 tasks had not ended when this was written; b has run for 8 s on engine 0.",
    )


def test_there_are_few_sentences_and_the_worst_first() -> None:
    for seed in range(20):
        run = random_run(seed)
        levels = [each.level for each in verdict(run, account_of(run), failures_of(run))]
        assert 1 <= len(levels) <= 6
        assert levels == sorted(levels, reverse=True)
        assert Level.CALM not in levels[:-1]


# -- stories -----------------------------------------------------------------------------


def story(run: Run, name: str) -> str:
    return story_of(run, run.tasks[name], account_of(run).tasks[name], causes_of(run).get(name))


@pytest.mark.parametrize(
    ("run", "name", "told"),
    [
        (RUN, "fetch-0", "Task fetch-0 succeeded on engine 0. Submitted at 0 s; ran for 2 s."),
        (
            RUN,
            "fetch-1",
            "Task fetch-1 succeeded on engine 0. Submitted at 0 s; queued for 1 s. It was tried 2"
            " times: 1 s on engine 1, where it failed; 1.5 s on engine 0, where it succeeded.",
        ),
        (
            RUN,
            "fit-1",
            "Task fit-1 succeeded on engine 10. Submitted at 0 s; waited 3 s for 2 tasks before it;"
            " ran for 6 s.",
        ),
        (
            RUN,
            "late",
            "Task late never ran with TaskTimeout. Submitted at 0 s; queued for 4 s.",
        ),
        (
            FAILURES,
            "load-1",
            "Task load-1 failed on engine 0 with ValueError: no such file: run1.dat. Submitted at"
            " 0 s; ran for 1 s.",
        ),
        (
            FAILURES,
            "page",
            "Task page never ran, since load-1 had failed with ValueError: no such file: run1.dat."
            " Submitted at 0 s; waited 5 s for 2 tasks before it.",
        ),
        (
            UNFINISHED,
            "b",
            "Task b runs on engine 0. Submitted at 0 s; waited 2 s for 1 task before"
            " it; ran for 8 s.",
        ),
        (
            UNFINISHED,
            "c",
            "Task c waits for 1 other task. Submitted at 0 s; waited 10 s for 1 task before it.",
        ),
    ],
)
def test_stories(run: Run, name: str, told: str) -> None:
    assert story(run, name) == told


def test_a_story_with_many_attempts_is_short() -> None:
    attempts = [(0, each, each + 1, "failed") for each in range(9)]
    text = story(run_of(task("a", *attempts, problem="ValueError")), "a")
    assert "tried 9 times" in text
    assert text.endswith("and 5 more.")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.00012, "0.12 ms"),
        (0.25, "250 ms"),
        (1.234, "1.23 s"),
        (99.9, "99.9 s"),
        (119.7, "2 min 00 s"),
        (3_599, "59 min 59 s"),
        (3_600, "1 h 00 min"),
        (90_061, "25 h 01 min"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


def test_words() -> None:
    assert [share_text(share) for share in (0, 0.001, 0.5, 0.999, 1)] == [
        *("0 %", "less than 1 %", "50 %", "more than 99 %", "100 %")
    ]
    assert [count_text(number, "task") for number in (0, 1, 1_234)] == [
        *("0 tasks", "1 task", "1,234 tasks")
    ]
    assert [names_text(names) for names in (["a"], ["a", "b"], ["a", "b", "c"], [*"abcde"])] == [
        *("a", "a and b", "a, b and c", "a, b, c and 2 more")
    ]


# -- tables ------------------------------------------------------------------------------


def test_engines() -> None:
    rows = engine_rows(RUN, account_of(RUN))
    assert [(row.name, row.succeeded, row.failed, row.fate) for row in rows] == [
        ("engine 1", 0, 2, "died"),
        ("engine 0", 3, 0, ""),
        ("engine 10", 2, 0, ""),
    ]
    assert (rows[0].since, rows[0].until, rows[0].time.running) == (0, 2.5, 2.5)


def test_an_engine_that_left() -> None:
    lives = (Life("engine 0", START, START + 5, True), Life("engine 1", START, START + 9, False))
    run = replace(run_of(ran("a", 0, 0, 5), ran("b", 1, 0, 9)), lives=lives)
    assert [row.fate for row in engine_rows(run, account_of(run))] == ["left", ""]


def test_groups() -> None:
    rows = {row.name: row for row in group_rows(FAILURES, account_of(FAILURES))}
    load = rows["load"]
    assert (load.tasks, load.succeeded, load.failed, load.never_ran) == (2, 0, 2, 0)
    assert (load.seconds, load.middle, load.longest, load.queueing) == (2, 1, 1, 0.5)
    assert (rows["plot"].failed, rows["plot"].never_ran) == (2, 2)
    assert (rows["plot"].longest, rows["plot"].waiting) == (0, 1.5)
    assert next(iter(rows)) == "fit"


def test_the_slowest() -> None:
    assert [each.msg_id for each in slowest(RUN)][:3] == ["fit-1", "fit-0", "fetch-1"]
