"""Commands that run apart: what they say, how they end, and that they can be ended."""

from __future__ import annotations

import asyncio
import sys

import pytest

from starwell_tui import jobs, late_answers
from starwell_tui.digits import large
from starwell_tui.jobs import Job


@pytest.fixture
def python(monkeypatch):
    """Commands are pieces of Python."""
    monkeypatch.setattr(jobs, "command", lambda words: [sys.executable, "-c", *words])


async def test_lines_come_as_they_are_said_without_what_was_written_over(python):
    code = (
        r"import sys; sys.stdout.write('one\n10 %\r20 %\r\x1b[31m30 %\x1b[0m'); sys.stdout.flush();"
        r"sys.stderr.write('\nwhy\n')"
    )
    job = Job("a test", [code])
    heard = []
    assert await job.run(lambda: heard.append(job.lines)) == 0
    assert job.lines == ["one", "30 %", "why"]
    assert heard[-1] == job.lines
    assert job.code == 0


async def test_a_failure_has_its_code_and_its_words(python):
    job = Job("a test", ["import sys; print('no such frames', file=sys.stderr); sys.exit(2)"])
    assert await job.run() == 2
    assert job.lines == ["no such frames"]


async def test_a_job_that_is_ended_takes_its_children_with_it(python):
    sleeping = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    child = f"import subprocess, sys; print('on', flush=True); subprocess.run({sleeping})"
    job = Job("a test", [child])
    running = asyncio.create_task(job.run(lambda: job.lines == ["on"] and job.cancel()))
    assert await asyncio.wait_for(running, 20) != 0
    assert job.cancelled


async def test_a_screen_that_goes_ends_its_job(python):
    job = Job("a test", ["print('on', flush=True); import time; time.sleep(60)"])
    begun = asyncio.Event()
    running = asyncio.create_task(job.run(begun.set))
    await asyncio.wait_for(begun.wait(), 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert job.cancelled


async def test_a_short_command_gets_its_text_and_tells_both_streams(python):
    code = "import sys; print(sys.stdin.read().upper()); print('aside', file=sys.stderr); sys.exit(3)"
    assert await jobs.asked([code], "plan") == (3, "PLAN\n", "aside")


def test_large_digits_stand_side_by_side():
    assert large("2.1") == [
        "██████          ██",
        "    ██          ██",
        "██████          ██",
        "██              ██",
        "██████  ██      ██",
    ]
    assert [len(row) for row in large("-1.50", 2)] == [2 * len(large("-1.50")[0])] * 10


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        (["\x1b[?62;4;6;22c\x1b[6;17;8t"], []),
        (["j\x1b[>41;380;0ck"], ["j", "k"]),
        (["\x1bP>|xterm(380)\x1b\\"], []),
        (["\x1b_Gi=31;OK\x1b\\"], []),
        (["\x1b]11;rgb:0000/0000/0000\x07q"], ["q"]),
        (["\x1b[?62;4", ";22c", "j"], ["j"]),
        (["\x1b[?62;4", ";22c\x1b[6;17", ";8t", "c"], ["c"]),
        (["\x1bP>|x", "ter", "m\x1b\\k"], ["k"]),
        (["\x1b[A\x1bOB"], ["up", "down"]),
        (["\x1b[1;5C"], ["ctrl+right"]),
    ],
)
def test_answers_are_no_keys_and_keys_are_no_answers(pieces, keys):
    parser = late_answers.Deaf()
    messages = [message for piece in pieces for message in parser.feed(piece)]
    assert [message.key for message in messages if hasattr(message, "key")] == keys
