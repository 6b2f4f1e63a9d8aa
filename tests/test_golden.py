"""Golden copies: what partners, operators, dashboards and engineers build on changes on purpose, or not at all."""

import pytest

from tests.support import golden


def differs(name):
    return f"tests/golden/{name} is not what the hub says now. If the change is meant: make golden, look at the difference, tell of it in CHANGELOG.md."


@pytest.mark.parametrize("name", golden.FILES)
def test_what_others_build_on_is_as_it_was(name):
    assert golden.FILES[name]() == (golden.FOLDER / name).read_text("utf-8"), differs(name)


def test_no_golden_copy_is_left_behind():
    assert {path.name for path in golden.FOLDER.iterdir()} == {
        *golden.FILES,
        "sqlite.sql",
        "postgresql.sql",
        "mariadb.sql",
    }


def test_the_hot_path_asks_the_database_the_same(store):
    name = f"{store._database.kind}.sql"
    assert golden.statements(store) == (golden.FOLDER / name).read_text("utf-8"), differs(name)
