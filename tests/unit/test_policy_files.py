"""Policy files: what is accepted, and what a wrong one is told."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from shared.durations import Duration, format_duration, parse_duration
from shared.errors import PolicyError
from shared.policy import KeyProblems, PolicyModel, load_policy
from shared.policy_yaml import parse_policy_text


class Promise(PolicyModel):
    answer_within: Duration
    country: str = "si"
    holidays: tuple[date, ...] = ()


class Paper(PolicyModel):
    promises: dict[str, Promise]
    weight: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _check(self) -> "Paper":
        if "fax" in self.promises:
            raise KeyProblems((("promises", "fax", "country"), "nobody has a fax; remove it"))
        return self


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / "paper.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refusal(path: Path) -> str:
    with pytest.raises(PolicyError) as refused:
        load_policy(path, Paper)
    return str(refused.value)


def test_a_policy_is_read_with_its_content_and_a_version_of_twelve_hex_digits(written):
    policy = load_policy(written("promises: {email: {answer_within: 1h30m}}"), Paper)
    assert policy.content.promises["email"].answer_within == timedelta(minutes=90)
    assert len(policy.version) == 12
    assert int(policy.version, 16) >= 0


def test_comments_order_and_layout_do_not_change_the_version(written):
    one = load_policy(written("weight: 2\npromises: {email: {answer_within: 4h}}"), Paper)
    text = "# ours\npromises:\n  email:\n    answer_within: '4h'\n\nweight: 2\n"
    assert load_policy(written(text), Paper).version == one.version


def test_another_value_is_another_version(written):
    one = load_policy(written("promises: {email: {answer_within: 4h}}"), Paper)
    other = load_policy(written("promises: {email: {answer_within: 5h}}"), Paper)
    assert one.version != other.version


def test_every_problem_is_listed_with_file_line_key_and_what_to_do(written):
    path = written(
        "promises:\n"
        "  email:\n"
        "    answer_within: 4 hours\n"
        "  chat:\n"
        "    country: si\n"
        "  voice:\n"
        "    answer_within: 20s\n"
        "    answer_with: 20s\n"
        "weight: 0\n"
    )
    text = refusal(path)
    assert f"{path}:3: promises.email.answer_within: not a duration; write it with units" in text
    assert f"{path}:4: promises.chat.answer_within: is missing; add it" in text
    assert f"{path}:8: promises.voice.answer_with: is not a known key; correct its sp" in text
    assert f"{path}:9: weight: input should be greater than or equal to 1; correct" in text
    assert "Correct 4 problems in paper.yaml" in text


def test_a_problem_between_keys_points_at_the_line_the_validator_named(written):
    path = written("promises:\n  fax:\n    answer_within: 4h\n    country: si\n")
    assert f"{path}:4: promises.fax.country: nobody has a fax; remove it" in refusal(path)


def test_a_key_that_is_there_twice_is_refused_with_both_lines(written):
    path = written("weight: 1\npromises: {email: {answer_within: 4h}}\nweight: 2\n")
    assert f"{path}:3: weight: is there twice (first on line 1); remove one" in refusal(path)


def test_an_alias_is_refused_before_it_can_multiply(written):
    bomb = "a: &a [x, x]\n" + "".join(f"b{i}: [*a, *a]\n" for i in range(3))
    assert "anchors (&) and aliases (*) are not allowed" in refusal(written(bomb))


def test_deep_nesting_is_refused_before_it_exhausts_the_stack(written):
    assert "nested more than 32 deep" in refusal(written("[" * 5_000))


def test_a_file_above_one_mebibyte_is_refused(written):
    assert "larger than 1 MiB" in refusal(written("#" * (1024 * 1024 + 1)))


def test_broken_yaml_names_the_line(written):
    path = written("promises:\n  email: [\nweight: 1\n")
    assert "expected ',' or ']'" in refusal(path)
    assert "check what begins on line 2" in refusal(path)


def test_bytes_that_are_not_utf_8_name_the_line(written):
    path = written(b"weight: 1\npromises: \xff\n")
    assert f"{path}:2: is not UTF-8" in refusal(path)


def test_a_missing_file_says_so(tmp_path):
    assert "cannot be read (FileNotFoundError)" in refusal(tmp_path / "none.yaml")


def test_an_empty_file_says_so(written):
    assert "is empty; write the policy" in refusal(written("# nothing yet\n"))


def test_a_python_object_tag_is_refused(written):
    assert "has a tag (!)" in refusal(written("weight: !!python/object/apply:os.getcwd []\n"))


def test_norway_dates_and_times_of_day_stay_what_was_written(written):
    text = "promises: {email: {answer_within: 4h, country: no, holidays: [2026-12-25]}}"
    promise = load_policy(written(text), Paper).content.promises["email"]
    assert (promise.country, promise.holidays) == ("no", (date(2026, 12, 25),))
    assert parse_policy_text("at: 17:00").values == {"at": "17:00"}


def test_a_number_is_not_taken_for_text(written):
    path = written("promises: {email: {answer_within: 4h, country: 386}}")
    assert "promises.email.country: should be text; put it in quotes" in refusal(path)


def test_a_duration_without_unit_is_refused(written):
    path = written("promises: {email: {answer_within: 90}}")
    assert "a duration needs a unit; write it as 90s" in refusal(path)


@given(st.text(max_size=60))
def test_no_text_makes_the_parser_raise(text):
    parse_policy_text(text)


@given(st.text(alphabet="{}[]:,- \n&*!|>'\"\\#%@?aU1", max_size=40))
def test_no_mix_of_yaml_indicators_makes_the_parser_raise(text):
    parse_policy_text(text)


@pytest.mark.parametrize(
    ("written_as", "seconds"),
    [("90s", 90), ("15m", 900), ("4h", 14_400), ("2d", 172_800), ("1h30m", 5_400), ("0s", 0)],
)
def test_durations_are_read_as_people_write_them(written_as, seconds):
    assert parse_duration(written_as) == timedelta(seconds=seconds)


@pytest.mark.parametrize("wrong", ["", "4", "h", "4 h", "-4h", "30m1h", "4H", "1.5h", "367d", "٣h"])
def test_what_is_no_duration_is_refused(wrong):
    with pytest.raises(ValueError, match=r"not a duration|366 days"):
        parse_duration(wrong)


@given(st.integers(0, 366 * 86_400_000))
def test_a_formatted_duration_reads_back(milliseconds):
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration
