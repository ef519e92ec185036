from __future__ import annotations

from pathlib import Path

import pytest
from parvis_models.speed import processor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name\t: Some Chip\nflags\t\t: sse avx512_vnni\n", ("Some Chip", "with AVX-512 VNNI")),
        ("model name\t: Old Chip\nflags\t\t: sse avx2\n", ("Old Chip", "")),
        ("Features\t: fp asimd asimddp\nModel\t\t: Raspberry Pi 5\n", ("Raspberry Pi 5", "with dot product")),
    ],
)
def test_a_processor_names_itself_and_what_helps_with_eight_bits(tmp_path: Path, text: str, expected: tuple[str, str]) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text(text, encoding="utf-8")
    assert processor(path).startswith(expected[0])
    assert expected[1] in processor(path)
    assert ("with" in processor(path)) == bool(expected[1])


def test_without_the_file_the_architecture_has_to_do(tmp_path: Path) -> None:
    assert processor(tmp_path / "cpuinfo")
