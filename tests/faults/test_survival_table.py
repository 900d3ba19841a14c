"""The verdict on each failure, and the table."""

from infra.faults.listener import Heard
from infra.faults.survival import Result, p95
from infra.faults.survival_table import line, markdown, summary
from simulator.failures.catalogue import Failure


def failure(**fields: object) -> Failure:
    return Failure(name="one", what="a symptom", urls=("https://example.com/1",), **fields)  # type: ignore[arg-type]


ANSWERED, SILENT = Heard("answered", 1.2), Heard("silent", 25.0)


def told(code: str, silence_s: float = 2.0) -> Heard:
    return Heard("told", silence_s, code)


def test_a_question_left_in_silence_is_not_survived() -> None:
    result = Result(failure(), (ANSWERED, SILENT))
    assert not result.is_survived
    assert (result.end, result.silence_s, result.is_soon) == ("silent", 25.0, False)


def test_an_answer_and_a_word_that_there_is_none_are_survived() -> None:
    assert Result(failure(), (ANSWERED,)).is_survived
    assert Result(failure(), (ANSWERED, told("lost"))).is_survived


def test_the_code_must_be_the_one_that_tells_it() -> None:
    quota = failure(answer=False, told="upstream_quota")
    assert Result(quota, (ANSWERED, told("upstream_quota"))).is_survived
    assert not Result(quota, (told("upstream_unavailable"),)).is_survived


def test_what_a_failure_takes_itself_is_not_counted_as_late() -> None:
    assert Result(failure(own_s=12), (Heard("answered", 13.0),)).is_soon
    assert not Result(failure(own_s=12), (Heard("answered", 16.0),)).is_soon
    assert Result(failure(answer=False, told="empty"), (told("empty", 4.9),)).is_soon


def test_the_table_names_each_with_its_source_and_counts_them() -> None:
    results = [Result(failure(), (ANSWERED,)), Result(failure(answer=False, told="empty"), (told("empty"),))]
    table = markdown(results)
    assert "| `one` | a symptom [1](https://example.com/1) | answered | 1.2 s |" in table
    assert "told empty" in table
    assert "2 failures: 1 answered, 1 told, 0 silent" in summary(results)[0]
    assert "late" in line(Result(failure(), (SILENT,)))


def test_p95_is_a_value_that_was_seen() -> None:
    assert p95([]) == 0
    assert p95([1.0]) == 1.0
    assert p95([float(each) for each in range(1, 101)]) == 95.0
