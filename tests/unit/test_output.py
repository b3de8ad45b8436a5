"""launcher/output.py: what is kept of a step's output, and how much memory that takes."""

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.output import Output

CUT = re.compile(r"\n\[\.\.\. (\d+) bytes cut \.\.\.\]\n")


def written(limit: int, *chunks: bytes) -> Output:
    """Return an output that has taken the chunks."""
    output = Output(limit)
    for chunk in chunks:
        output.write(chunk)
    return output


@given(st.lists(st.binary(max_size=40)), st.integers(2, 60), st.integers(0, 60))
def test_head_and_tail_are_the_streams_whatever_the_chunks(
    chunks: list[bytes], limit: int, less: int
) -> None:
    chunks = [bytes(byte & 0x7F or 65 for byte in chunk) for chunk in chunks]  # ASCII without NUL
    stream = b"".join(chunks).decode()
    output = written(limit, *chunks)
    assert len(output) == len(stream)
    for text, keep in ((output.text(), limit), (output.text(less), min(limit, max(less, 2)))):
        if len(stream) <= keep:
            assert text == stream
        else:
            cut = f"\n[... {len(stream) - keep} bytes cut ...]\n"
            assert text == stream[: keep // 2] + cut + stream[keep // 2 - keep :]


@given(st.text(st.characters(codec="utf-8", min_codepoint=0x80), min_size=30), st.integers(8, 40))
def test_no_character_is_cut_in_two(stream: str, limit: int) -> None:
    text = written(limit, stream.encode()).text()
    match = CUT.search(text)
    assert match
    head, tail = text[: match.start()], text[match.end() :]
    assert stream.startswith(head)
    assert stream.endswith(tail)
    assert int(match[1]) == len(stream.encode()) - len((head + tail).encode())


@given(st.lists(st.binary()), st.integers(2, 100))
def test_any_bytes_become_text_that_postgresql_can_store(chunks: list[bytes], limit: int) -> None:
    text = written(limit, *chunks).text()
    assert "\0" not in text
    text.encode()  # no lone surrogates either


def test_bytes_that_are_not_utf8_and_nul_are_replaced() -> None:
    assert written(100, b"a\xffb\0c\xc3").text() == "a\ufffdb\ufffdc\ufffd"


def test_a_line_starts_on_a_line_of_its_own() -> None:
    output = written(100, b"unfinished")
    output.line(b"one")
    output.line(b"two")
    assert output.text() == "unfinished\none\ntwo\n"


@pytest.mark.slow
def test_memory_stays_within_the_limit() -> None:
    limit = 100_000
    line = b"a line of a script that does not know when to stop\n"
    tracemalloc.start()
    try:
        output = Output(limit)
        for _ in range(500_000):
            output.write(line)
        output.write(bytes(10_000_000))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4 * limit
    assert len(output) == 500_000 * len(line) + 10_000_000
