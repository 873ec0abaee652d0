"""Promise 10: a change of the template reaches a repository; what is the owner's stays, what conflicts is shown."""

import json

import cookiecutter
import cruft
import pytest
from conftest import ADDRESS, bake, committed, run, snapshot

from dsri.update import Stopped, command, description, template
from dsri.update.merge import Outcome, within

pytestmark = pytest.mark.skipif(
    cookiecutter.__version__ == "2.1.1",
    reason="needs cookiecutter 2.2, which tells the hook where the template is",
)
STAGED = "{{cookiecutter.repo_name}}/cookiecutter-stacks/"
BASE = (STAGED + "fastapi/Dockerfile.j2", "trixie-slim", "forky-slim")
ACTION = (STAGED + "every/.github/workflows/publish.yml", "# v7.0.1", "# v7.0.2")
RULE = (STAGED + "web/openshift/route.yaml.j2", "termination: edge", "termination: reencrypt")
APP = (STAGED + "fastapi/app/page.html", "<title>", "<title>The template's ")


def edit(top, *edits):
    """Replace in files; a text alone is a new file, None removes it."""
    for path, *change in edits:
        path = top / path
        if change == [None]:
            path.unlink()
        elif len(change) == 1:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(change[0], encoding="utf-8", newline="")
        else:
            text = path.read_bytes().decode()
            assert change[0] in text, (path, change[0])
            path.write_bytes(text.replace(*change).encode())


class Owner:
    """Somebody's repository and the template that it was made from."""

    def __init__(self, published, path, capsys, monkeypatch):
        self.published, self.path, self.capsys, self.monkeypatch = (
            published,
            path,
            capsys,
            monkeypatch,
        )
        committed(path)

    def __truediv__(self, name):
        return self.path / name

    def edit(self, *edits):
        edit(self.path, *edits)
        return committed(self.path)

    def release(self, *edits, message="A change"):
        edit(self.published, *edits)
        return committed(self.published, message)

    def questions(self, change):
        path = self.published / "cookiecutter.json"
        questions = json.loads(path.read_text(encoding="utf-8"))
        change(questions)
        path.write_text(json.dumps(questions, indent=2), encoding="utf-8")
        return committed(self.published, "Other questions")

    @property
    def state(self):
        return json.loads((self / ".cruft.json").read_text(encoding="utf-8"))

    def answer(self, **answers):
        """Edit answers, as an owner does."""
        state = self.state
        state["context"]["cookiecutter"].update(answers)
        (self / ".cruft.json").write_text(json.dumps(state, indent=2), encoding="utf-8")
        committed(self.path)

    def update(self, *words):
        """What is said; the changes are staged."""
        self.monkeypatch.chdir(self.path)
        assert command.main(list(words)) == 0
        return self.capsys.readouterr().out

    def stopped(self, *words):
        """Why it stops; nothing changes."""
        before = snapshot(self.path)
        self.monkeypatch.chdir(self.path)
        with pytest.raises(SystemExit) as stopped:
            command.main(list(words))
        after = snapshot(self.path)
        assert {p: s for p, s in after.items() if p != ".git/index"} == {
            p: s for p, s in before.items() if p != ".git/index"
        }
        return stopped.value.code

    def changed(self):
        """{path: how} of what is staged, but .cruft.json; nothing else may differ."""
        lines = run("git", "status", "--porcelain", cwd=self.path).stdout.splitlines()
        assert all(line[1] == " " for line in lines), lines
        return {line[3:]: line[0] for line in lines if line[3:] != ".cruft.json"}


@pytest.fixture
def owner(published, tmp_path, capsys, monkeypatch):
    """A function: a repository made from the published template."""

    def make(**answers):
        made = bake(tmp_path, template=ADDRESS, **answers)
        assert made.status == 0, made.text
        return Owner(published, made.path, capsys, monkeypatch)

    make.published, make.capsys, make.monkeypatch = published, capsys, monkeypatch
    return make


def test_without_a_change_nothing_happens(owner):
    mine = owner()
    assert mine.update() == "Up to date.\n" and mine.changed() == {}
    assert f"\n    uvx --from git+{ADDRESS} dsri update\n" in (mine / "README.md").read_text()


def test_what_changed_comes_and_the_application_stays(owner):
    mine = owner()
    mine.edit(("Dockerfile", "CMD", "# mine\nCMD"), ("app/page.html", "<h1", "<h1 mine"))
    commit = mine.release(BASE, ACTION, RULE, APP)
    text = mine.update()
    assert set(mine.changed()) == {
        "Dockerfile",
        ".github/workflows/publish.yml",
        "openshift/route.yaml",
    }
    assert (
        "forky-slim" in (mine / "Dockerfile").read_text()
        and "# mine" in (mine / "Dockerfile").read_text()
    )
    assert mine.state["commit"] == commit and mine.state["template"] == ADDRESS
    assert (
        "## Yours, so not touched; the template's own changed\n\n- `app/page.html`\n" in text
        and "Conflicts" not in text
        and "- `A change`" in text
    )
    committed(mine.path)
    assert mine.update() == "Up to date.\n"


def test_where_both_changed_the_same_the_file_has_both(owner):
    mine = owner()
    mine.edit(("openshift/route.yaml", "termination: edge", "termination: passthrough"))
    mine.release(BASE, RULE)
    text = mine.update()
    merged = (mine / "openshift/route.yaml").read_text()
    assert (
        "<<<<<<< yours\n    termination: passthrough\n|||||||" in merged
        and "=======\n    termination: reencrypt\n>>>>>>> template\n" in merged
    )
    assert (
        "## Conflicts to settle" in text
        and "termination: passthrough" in text
        and "forky" in (mine / "Dockerfile").read_text()
    )


def test_a_moved_file_gets_its_change_and_a_removed_one_stays_away(owner):
    mine = owner()
    (mine / "openshift/route.yaml").rename(mine / "my-route.yaml")
    mine.edit(("Dockerfile", None))
    mine.release(BASE, RULE)
    text = mine.update()
    assert (
        mine.changed() == {"my-route.yaml": "M"}
        and "termination: reencrypt" in (mine / "my-route.yaml").read_text()
    )
    assert (
        "## Changed in the template, not here any more" in text
        and "\n- `Dockerfile`\n" in text
        and "- `my-route.yaml`" in text
    )


def test_a_file_that_is_in_two_places_now_gets_its_change_in_one_of_them(owner):
    mine = owner()
    text = (mine / "openshift/route.yaml").read_text()
    mine.edit(("openshift/route.yaml", None), ("one/way.yaml", text), ("two/way.yaml", text))
    mine.release(RULE)
    text, (changed, *others) = mine.update(), mine.changed()
    assert (
        not others
        and f"\n- `{changed}`" in text
        and "termination: reencrypt" in (mine / changed).read_text()
    )


def test_a_new_file_comes_to_its_own_place_where_the_owner_moved_the_folder(owner):
    mine = owner()
    (mine / "openshift").rename(mine / "deploy")
    committed(mine.path)
    mine.release((STAGED + "every/openshift/new.txt", "new\n"))
    assert "Conflicts" not in mine.update() and mine.changed() == {"openshift/new.txt": "A"}


def test_a_new_file_never_takes_the_place_of_the_owners(owner):
    mine = owner(stack="own-dockerfile")
    mine.edit(
        ("new.txt", "mine\r\n"),
        ("Other.txt", "mine\n"),
        ("folder/x", "mine\n"),
        ("file", "mine\n"),
        ("part/docker-compose.yml", "mine\n"),
    )
    before = snapshot(mine.path)
    mine.release(
        *[
            (STAGED + "every/" + name, "the template's\n")
            for name in (
                "new.txt",
                "other.txt",
                "folder",
                "file/x",
                "part/compose.yaml",
                "quite-new.txt",
            )
        ]
    )
    text = mine.update()
    assert mine.changed() == {"quite-new.txt": "A"}
    assert {
        p: s
        for p, s in snapshot(mine.path).items()
        if p in before and not p.startswith(".git/") and p != ".cruft.json"
    } == {p: s for p, s in before.items() if not p.startswith(".git/") and p != ".cruft.json"}
    said = text.partition("## Kept, they are yours")[2].partition("##")[0]
    assert all(
        line in said
        for line in (
            "- `new.txt`\n",
            "- `other.txt`: `Other.txt` stands there",
            "- `folder`\n",
            "- `file/x`: `file` stands there",
            "- `part/compose.yaml`: `part/docker-compose.yml` stands there",
        )
    )


def test_what_would_change_how_files_are_read_does_not_come_later(owner, tmp_path):
    (tmp_path / "Kg_Demo.v1").mkdir()
    (tmp_path / "Kg_Demo.v1/Dockerfile").write_text("FROM scratch\n")
    made = bake(tmp_path, "-f", "-s", template=ADDRESS, stack="own-dockerfile")
    mine = Owner(owner.published, made.path, owner.capsys, owner.monkeypatch)
    names = (".dockerignore", ".gitattributes", ".gitignore")
    assert set(names) <= set(mine.state["skip"])
    mine.release(
        (STAGED + "own-dockerfile/.dockerignore", ".git", "changed\n.git"),
        (STAGED + "every/.gitattributes", "* text", "*.x text\n* text"),
        (STAGED + "own-dockerfile/.gitignore", ".env", "changed\n.env"),
        RULE,
    )
    mine.update()
    assert set(mine.changed()) == {"openshift/route.yaml"}
    assert (mine / "openshift/.gitattributes").is_file()


def test_what_the_template_gives_up_or_renames(owner):
    mine = owner()
    mine.edit(
        ("openshift/route.yaml", "kind: Route", "kind: Route # mine"),
        ("openshift/service.yaml", "kind: Service", "kind: Service # mine"),
    )
    mine.release(
        (STAGED + "every/.dockerignore", None),
        (STAGED + "web/openshift/service.yaml.j2", None),
        (
            STAGED + "web/openshift/way.yaml.j2",
            (mine.published / STAGED / "web/openshift/route.yaml.j2").read_text(),
        ),
        (STAGED + "web/openshift/route.yaml.j2", None),
    )
    text = mine.update()
    assert mine.changed() == {
        ".dockerignore": "D",
        "openshift/route.yaml -> openshift/way.yaml": "R",
    }
    assert (
        "kind: Route # mine" in (mine / "openshift/way.yaml").read_text()
        and "kind: Service # mine" in (mine / "openshift/service.yaml").read_text()
    )
    assert (
        "## Not in the template any more, kept because you changed them\n\n- `openshift/service.yaml`"
        in text
    )


def test_it_goes_to_the_newest_release_or_along_the_branch_it_came_from(owner):
    mine = owner()
    first = mine.release(BASE)
    for tag in ("v0.9.0", "v0.10.0", "v9.9.9-rc.1", "vault"):
        run("git", "tag", tag, cwd=mine.published)
    mine.release(RULE)
    mine.update()
    assert (
        mine.state["commit"] == first
        and mine.state["checkout"] == "v0.10.0"
        and set(mine.changed()) == {"Dockerfile"}
    )
    committed(mine.path)
    assert mine.update() == "Up to date.\n"
    assert "openshift/route.yaml" in mine.update("--checkout", "main")
    committed(mine.path)
    assert mine.state["checkout"] == "main"
    mine.release(ACTION)
    assert "publish.yml" in mine.update()
    committed(mine.path)
    assert mine.stopped("--checkout", "nowhere") == "The template has no nowhere."


def test_made_after_the_newest_release_it_waits_for_the_next(published, owner):
    run("git", "tag", "v1.0.0", cwd=published)
    edit(published, BASE)
    committed(published)
    mine = owner()
    assert mine.update() == "Up to date.\n"


def test_a_question_that_is_added_renamed_or_removed_and_a_changed_default(owner):
    mine = owner(port="9000")
    mine.release((STAGED + "every/region.txt.j2", "{{ cookiecutter.region }}\n"))
    mine.questions(
        lambda questions: questions.update(region="{{ cookiecutter.repo_name }}-eu", port="8888")
    )
    assert (
        '- `region` is new: `"Kg_Demo.v1-eu"`; another answer goes into `.cruft.json`'
        in mine.update()
    )
    assert (mine / "region.txt").read_text() == "Kg_Demo.v1-eu\n" and mine.state["context"][
        "cookiecutter"
    ]["port"] == "9000"
    committed(mine.path)
    mine.answer(region="north")
    mine.release((STAGED + "every/region.txt.j2", "cookiecutter.region", "cookiecutter.zone"))
    mine.questions(
        lambda questions: (
            questions.pop("region"),
            questions.update(zone="another default", _renamed={"region": "zone"}),
        )
    )
    assert "- `region` is now called `zone`" in mine.update()
    assert (mine / "region.txt").read_text() == "north\n" and mine.state["context"]["cookiecutter"][
        "zone"
    ] == "north"
    committed(mine.path)
    mine.release((STAGED + "every/region.txt.j2", None))
    mine.questions(
        lambda questions: (
            questions.pop("zone"),
            questions.pop("_renamed"),
        )
    )
    assert "- `zone` is no longer asked" in mine.update()
    assert (
        mine.changed() == {"region.txt": "D"}
        and "zone" not in mine.state["context"]["cookiecutter"]
    )


def test_a_choice_that_is_gone_has_a_successor_or_stops_with_a_sentence(owner):
    mine = owner(license="BSD-3-Clause", stack="jupyterlab")
    mine.questions(lambda questions: questions["license"].remove("BSD-3-Clause"))
    assert mine.stopped().startswith(
        "license: 'BSD-3-Clause' is no longer offered; there is: MIT, Apache-2.0, none."
    )
    mine.answer(license="none")
    text = mine.update()
    assert (
        '`license`: `"BSD-3-Clause"` became `"none"`' in text
        and mine.state["context"]["cookiecutter"]["license"] == "none"
    )
    committed(mine.path)
    mine.questions(
        lambda questions: (
            questions["stack"].remove("jupyterlab"),
            questions["_stacks"].pop("jupyterlab"),
        )
    )
    assert "stack: 'jupyterlab' is no longer offered" in mine.stopped()
    mine.questions(
        lambda questions: questions.update(_renamed={"stack": {"jupyterlab": "own-dockerfile"}})
    )
    text = mine.update()
    assert (
        "`stack`: `jupyterlab` is now `own-dockerfile`" in text
        and "became" not in text
        and mine.state["context"]["cookiecutter"]["stack"] == "own-dockerfile"
    )
    assert (mine / "notebooks/start.ipynb").exists() and {"notebooks", "Dockerfile"} & set(
        mine.state["skip"]
    ) == {"Dockerfile"}, "the owner's"


def test_an_answer_that_is_refused_now_stops_with_the_sentence(owner):
    mine = owner(port="1234")
    mine.release(("hooks/pre_gen_project.py", "1024 <= int(port)", "2000 <= int(port)"))
    why = mine.stopped()
    assert (
        "1 answer cannot be used; nothing was written." in why
        and "port: '1234'" in why
        and "cookiecutter" not in why
    )
    assert why.endswith(
        "Change that answer in .cruft.json and commit it; the next update applies it. Nothing was changed."
    )
    mine.answer(port="8081")
    mine.update()
    assert "8081" in (mine / "openshift/deployment.yaml").read_text()


def test_an_edited_answer_is_applied_there_and_back(owner):
    mine = owner()
    before = (mine / "openshift/deployment.yaml").read_text()
    for port in ("9000", "8080"):
        mine.answer(port=port)
        assert f'became `"{port}"`' in mine.update()
        assert {"compose.yaml", "openshift/deployment.yaml"} <= set(mine.changed()) and port in (
            mine / "openshift/deployment.yaml"
        ).read_text()
        committed(mine.path)
        assert mine.update() == "Up to date.\n"
    assert (mine / "openshift/deployment.yaml").read_text() == before


@pytest.mark.parametrize(
    "answer, old, new",
    [
        ("github_owner", "MaastrichtU-IDS/Kg_Demo", "Mona/Kg_Demo"),
        ("openshift_project", "demo-project", "next-project"),
    ],
)
def test_another_owner_or_project_is_one_answer(owner, answer, old, new):
    mine = owner()
    mine.answer(**{answer: new.partition("/")[0]})
    mine.update()
    assert mine.changed() and all(
        new.lower() in (mine / path).read_text(encoding="utf-8").lower() for path in mine.changed()
    )
    left = run("git", "grep", "-il", old, "--", ".", ":!.cruft.json", cwd=mine.path).stdout.split()
    assert left and set(left) <= set(mine.state["skip"]), "only what is the owner's"


def test_answers_with_signs_of_jinja_stay_what_they_are(owner):
    mine = owner(project_name="a {{ '{{' }} b {{ '{%' }} c", description="{{ '#' }}% d")
    mine.release(BASE)
    mine.update()
    assert (
        set(mine.changed()) == {"Dockerfile"}
        and mine.state["context"]["cookiecutter"]["project_name"] == "a {{ b {% c"
    )


def test_workflow_changes_wait_for_who_may_push_them(owner):
    mine = owner()
    first = mine.state["commit"]
    mine.release(BASE, ACTION, (STAGED + "every/.github/workflows/new.yml", "name: new\n"))
    text = mine.update("--without-workflows")
    assert set(mine.changed()) == {"Dockerfile"} and mine.state["workflows"] == first
    said = text.partition("## Workflow changes that are not in here")[2]
    assert (
        "+        uses: actions/checkout@" in said
        and f"    git switch {description.BRANCH}\n    uvx --from git+{ADDRESS} dsri update\n"
        in said
    )
    assert (
        f"\n      BRANCH: {description.BRANCH}\n"
        in (mine / ".github/workflows/template-update.yml").read_text()
    )
    committed(mine.path)
    assert (
        mine.update("--without-workflows")
        == "Up to date, but for the workflow changes of an earlier update.\n"
    )
    mine.release(RULE, (STAGED + "every/.github/workflows/publish.yml", "# v4.6.0", "# v4.6.1"))
    mine.update("--without-workflows")
    assert mine.state["workflows"] == first
    committed(mine.path)
    mine.update()
    assert (
        mine.changed() == {".github/workflows/new.yml": "A", ".github/workflows/publish.yml": "M"}
        and "workflows" not in mine.state
    )
    assert (mine / ".github/workflows/publish.yml").read_text() == (
        mine.published / STAGED / "every/.github/workflows/publish.yml"
    ).read_text()


def test_a_workflow_that_waits_is_no_conflict(owner):
    mine = owner()
    mine.edit((".github/workflows/publish.yml", "# v7.0.1", "# mine"))
    mine.release(BASE, ACTION)
    text = mine.update("--without-workflows")
    assert (
        set(mine.changed()) == {"Dockerfile"}
        and "Conflicts" not in text
        and "not in here\n" in text
    )


def test_what_makes_it_impossible_is_said(owner, monkeypatch):
    mine = owner()
    (mine / "untracked").write_text("x")
    assert mine.stopped().startswith("There are changes that are not committed")
    committed(mine.path)
    monkeypatch.chdir(mine / "app")
    with pytest.raises(SystemExit, match="top folder"):
        command.main([])
    mine.edit((".cruft.json", mine.state["commit"], "0" * 40))
    assert (
        mine.stopped()
        == f"{ADDRESS} has no commit {'0' * 40}, from which this repository was made."
    )
    mine.edit((".cruft.json", "{}"))
    assert mine.stopped() == ".cruft.json is not what cruft or the template writes."
    mine.edit((".cruft.json", None))
    assert (
        mine.stopped()
        == "No .cruft.json here, so it is not known what this repository was made from."
    )


def test_cruft_updates_it_too_and_what_cruft_made_is_updated(
    owner, published, tmp_path, capsys, monkeypatch
):
    mine = owner()
    made = Owner(
        published,
        cruft.create(
            ADDRESS, tmp_path / "made", default_config=True, extra_context={"stack": "react"}
        ),
        capsys,
        monkeypatch,
    )
    commit = mine.release(
        BASE, RULE, APP, (STAGED + "react/src/App.tsx", "export", "// the template's\nexport")
    )
    assert cruft.update(mine.path) and mine.state["commit"] == commit
    assert {
        line[3:] for line in run("git", "status", "--porcelain", cwd=mine.path).stdout.splitlines()
    } == {".cruft.json", "Dockerfile", "openshift/route.yaml"}
    made.update()
    assert (
        set(made.changed()) == {"openshift/route.yaml"}
        and "src" in made.state["skip"]
        and "_stacks" not in made.state["context"]["cookiecutter"]
    )


def test_the_changelog_between_two_versions_is_quoted(owner):
    mine = owner()
    start = "# Changelog\n\n## [Unreleased]\n\n"
    old = "## [1.0.0] - 2026-01-01\n\n### Added\n\n- All of it\n"
    mine.release(("CHANGELOG.md", start + old))
    mine.update()
    committed(mine.path)
    mine.release(
        BASE,
        (
            "CHANGELOG.md",
            start + "## [1.1.0] - 2026-02-01\n\n### Changed\n\n- The base image\n\n" + old,
        ),
    )
    text = mine.update().partition("## What changed in the template\n\n")[2]
    assert (
        text.startswith("### [1.1.0] - 2026-02-01\n\n#### Changed\n\n- The base image\n\n## Merged")
        and "All of it" not in text
    )


@pytest.mark.parametrize(
    "place, left",
    [
        ("app", True),
        ("app/", True),
        ("app/page.html", True),
        ("*.html", True),
        ("a*", True),
        ("page.html", False),
        ("ap", False),
        ("*.py", False),
    ],
)
def test_a_path_is_left_alone_as_cruft_means_it(place, left):
    assert within("app/page.html", [place]) == left


def test_a_description_says_what_its_reader_can_use():
    first = description.description(Outcome(), "", [], ("v1", "v2"), "x", ADDRESS + ".git", False)
    again = description.description(
        Outcome(removed=["a`b"], conflicts={"c": "a message"}),
        "",
        [],
        ("v1", "v1"),
        "x",
        "git@example.org:a/b",
        True,
    )
    assert f"({ADDRESS}/compare/v1...v2)" in first and "Checks" not in first
    assert (
        again.startswith("With v1 of the template, as before")
        and "`c`\n\n```\na message\n```" in again
        and "\n- `` a`b ``\n" in again
        and "close it and open it again" in again
    )


def test_no_content_ends_a_code_block_and_no_text_is_too_long():
    assert description.fenced("a\n```\nb").startswith("````\n")
    out = Outcome(
        conflicts={
            f"file{n}": "<<<<<<< yours\n" + "x\n" * 9000 + ">>>>>>> template\n" for n in range(20)
        }
    )
    text = description.description(out, "", [], ("v1", "v2"), "x", ADDRESS, False)
    assert (
        40_000 < len(text) < 65536
        and text.endswith("\n\n…the rest is on the branch.")
        and text.count("\n```") % 2 == 0
    )


def test_a_git_that_fails_is_quoted():
    with pytest.raises(Stopped, match="git no-such: "):
        template.git("no-such")
