"""The camera's pictures: from a seed the same bytes, each spoiled so that it is still a picture of its code."""

import pytest

pytest.importorskip("cv2", reason="the extra camera is not installed")
pytest.importorskip("zxingcpp", reason="the extra camera is not installed")
pytest.importorskip("zint", reason="the encoder of the tests is not installed")

import numpy as np

from till_drivers.camera.decoders import ZxingDecoder
from tillbench.camera_pictures import CODES, HEIGHT, SPOILED, WIDTH, _picture, empty, pictures


def test_a_seed_gives_the_same_pictures_again() -> None:
    """And no two of them show one code."""
    first, again = (pictures(5, 1, "EAN-13") for _ in range(2))
    assert [each.gray.tobytes() for each in first] == [each.gray.tobytes() for each in again]
    assert [each.code.text for each in first] == [each.code.text for each in again]
    assert len({each.code.text for each in first}) == len(SPOILED)
    assert [each.spoiled for each in first] == list(SPOILED)
    assert {each.gray.shape for each in first} == {(HEIGHT, WIDTH)}


@pytest.mark.parametrize("symbology", list(CODES))
def test_what_is_drawn_is_what_is_asked_for(symbology: str) -> None:
    """Of two that are only tilted, zxing-cpp reads some, as what was encoded."""
    tilted = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        code = CODES[symbology](rng)
        tilted.append((code.text, _picture("tilted", code, rng)))
    read = [(text, [found.text for found in ZxingDecoder().decode(gray, (), 80)]) for text, gray in tilted]
    assert any(text in texts for text, texts in read)
    assert all(texts in ([], [text]) for text, texts in read)


def test_scenes_without_codes_have_none() -> None:
    """Stripes, blobs and noise."""
    assert [ZxingDecoder().decode(gray, ("qr", "pdf417", "aztec", "datamatrix"), 80) for gray in empty(1, 3)] == [
        []
    ] * 3
