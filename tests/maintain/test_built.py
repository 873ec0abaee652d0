"""What is built from src/dsri is what the template has."""

import build_image


def test_what_is_built_is_up_to_date():
    assert build_image.stale() == [], "run: python tools/build_image.py"


def test_the_script_in_a_repository_needs_nothing_of_dsri():
    assert "import dsri" not in build_image.script()
    assert "from dsri" not in build_image.script()
