"""Which worker a member of a consumer group is."""

from __future__ import annotations

import pytest

from headrace.streams.members import instance_in


@pytest.mark.parametrize(
    ("client_id", "instance"),
    [
        ("headrace-reviews-w1-faust", "w1"),
        ("headrace-reviews-host-3-main.2-faust", "host-3-main.2"),
        ("headrace-reviews-w1-consumer", None),
        ("headrace-review-w1-faust", None),
        ("rdkafka", None),
        ("", None),
    ],
)
def test_a_client_id_names_the_instance_of_a_worker_of_this_pipeline_only(client_id: str, instance: str | None) -> None:
    assert instance_in(client_id, "reviews") == instance
