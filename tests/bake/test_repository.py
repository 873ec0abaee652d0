"""Promise 1, 7 and 9: what is generated is whole, valid and has nothing that was not chosen."""

import ast
import functools
import json
import re
import shutil
from pathlib import PurePosixPath

import golden
import pytest
import yaml
from conftest import (
    FACTS,
    STACKS,
    STAGED,
    TEMPLATE,
    bake,
    is_web,
    listed,
    long,
    run,
    tool,
    workload,
)

EVERY = {
    ".dockerignore",
    ".gitattributes",
    ".github/sbom.Dockerfile",
    ".github/workflows/publish.yml",
    ".github/workflows/template-update.yml",
    ".gitignore",
    "CITATION.cff",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "compose.yaml",
    "openshift/README.md",
    "openshift/image.py",
    "openshift/kustomization.yaml",
    "openshift/pvc.yaml",
}
WEB = {"openshift/deployment.yaml", "openshift/route.yaml", "openshift/service.yaml"}
JOB = {"openshift/cronjob.yaml", "openshift/files.yaml"}
QUESTIONS = [
    "project_name",
    "repo_name",
    "description",
    "stack",
    "github_owner",
    "github_username",
    "full_name",
    "email",
    "openshift_project",
    "service_account",
    "pull_secret_name",
    "port",
    "storage",
    "license",
]


def staged_files():
    """Every file of the staging folder that is staged for a repository."""
    helpers = {STAGED / "placing", STAGED / "README.md"}
    return [
        path for path in STAGED.rglob("*") if path.is_file() and not helpers & {path, *path.parents}
    ]


def own_files(part):
    """The paths that a part's folder gives a repository."""
    top = STAGED / part
    return {
        path.relative_to(top).as_posix().removesuffix(".j2")
        for path in top.rglob("*")
        if path.is_file()
    }


def tree(stack, storage):
    """The paths of a repository: what all have, and what the stack's own parts have."""
    expected = EVERY | (WEB if is_web(stack) else JOB)
    for part in (*FACTS[stack]["parts"], stack):
        expected |= own_files(part)
    return expected - ({"openshift/pvc.yaml"} if storage == "none" else set())


def test_the_tree_is_exactly_this(repository, stack, storage):
    found, expected = set(repository.files()), tree(stack, storage)
    assert found - expected == set(), "generated, but neither in EVERY, WEB or JOB nor in the stack"
    assert expected - found == set(), "in EVERY, WEB, JOB or the stack's folder, but not generated"


def test_what_users_get_is_what_is_under_version_control(repository, stack, storage):
    """tests/golden shows in a pull request what it changes for users; the command in CONTRIBUTING.md writes it anew."""
    if storage == golden.STORAGE:
        assert golden.golden(repository.path, repository.files(), stack) == golden.stored(stack), (
            "python tools/golden.py, then look at the difference"
        )


def test_without_storage_and_licence_nothing_of_them_is_left(tmp_path, stack):
    made = bake(tmp_path, stack=stack, license="none", storage="none")
    if FACTS[stack].get("needs_storage"):
        assert (
            made.status == 1
            and "this stack keeps its results there: a size above 0" in made.text
            and not made.path.exists()
        )
        return
    assert set(made.files()) == tree(stack, "none") - {"LICENSE"}
    for name in made.files():
        text = (made / name).read_text(encoding="utf-8")
        assert "#%" not in text and "DATA_DIR" not in text and "data_dir" not in text, name


def test_enter_all_the_way_down_works(cookies):
    result = cookies.bake()
    assert result.exit_code == 0 and result.project_path.name == "my-dsri-project"
    assert "ghcr.io/maastrichtu-ids/my-dsri-project" in (
        result.project_path / "openshift" / "deployment.yaml"
    ).read_text(encoding="utf-8")


def test_questions_are_these_in_this_order_each_with_a_prompt():
    questions = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    assert (
        [key for key in questions if not key.startswith("_")]
        == QUESTIONS
        == list(questions["__prompts__"])
    )


@pytest.mark.parametrize(
    "repo_name, app",
    [
        ("Kg_Demo.v1", "kg-demo-v1"),
        ("2024-study", "app-2024-study"),
        pytest.param("A", "a", marks=long),
        pytest.param("1", "app-1", marks=long),
    ],
)
def test_names_are_computed(tmp_path, repo_name, app):
    made = bake(tmp_path, repo_name=repo_name)
    kustomization = yaml.safe_load(
        (made / "openshift/kustomization.yaml").read_text(encoding="utf-8")
    )
    deployment = workload(made)[0]
    assert kustomization["images"] == [
        {"name": f"ghcr.io/maastrichtu-ids/{repo_name.lower()}", "newTag": "latest"}
    ]
    assert (
        deployment["metadata"]["name"]
        == deployment["spec"]["template"]["spec"]["containers"][0]["name"]
        == app
    )


@pytest.mark.parametrize(
    "name",
    [
        "OpenShift tools",
        "default",
        "Kube-thing",
        "A knowledge graph of every clinical trial that was ever made in Maastricht",
        "日本",
        "🚀",
        "2024",
        "x",
    ],
)
def test_the_defaults_that_follow_from_a_name_work(cookies, name):
    result = cookies.bake(extra_context={"project_name": name})
    assert result.exit_code == 0, name


@pytest.fixture(scope="module")
def with_anyuid(tmp_path_factory):
    """A function: a stack's repository for the account anyuid, made once."""
    return functools.cache(
        lambda stack: bake(tmp_path_factory.mktemp(stack), stack=stack, service_account="anyuid")
    )


def test_anyuid_gets_what_that_scc_allows(with_anyuid, stack):
    pod = workload(with_anyuid(stack))[1]
    assert "securityContext" not in pod and pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False
    }


def test_a_name_that_leaves_no_room_for_a_run_and_its_pods_is_refused(tmp_path):
    made = bake(tmp_path, stack="batch-job", repo_name="a" * 41, openshift_project="b" * 40)
    assert (
        made.status == 1
        and "has 41 characters; 40 are possible" in made.text
        and not made.path.exists()
    )
    assert (
        bake(tmp_path, stack="batch-job", repo_name="a" * 40, openshift_project="b" * 40).status
        == 0
    )


def test_only_what_may_run_twice_is_told_how(repository, stack, storage):
    spec, text = (
        workload(repository)[0]["spec"],
        (repository / "openshift/README.md").read_text(encoding="utf-8"),
    )
    facts = FACTS[stack]
    may_run_twice = facts.get("update_with_storage") == "RollingUpdate"
    assert ("### More pods" in text) == (may_run_twice or storage == facts["storage"] == "none")
    # A number in git would take back what was scaled, with every apply.
    assert spec.get("replicas") == (1 if is_web(stack) and "### More pods" not in text else None)


def test_the_lines_for_a_secret_fit_where_the_page_puts_them(repository):
    page = (repository / "openshift/README.md").read_text(encoding="utf-8")
    file, lines = re.search(
        r"below `imagePullPolicy` in\n`openshift/(\S+)`.*?```yaml\n(.*?)```", page, re.DOTALL
    ).groups()
    manifest = (repository / "openshift" / file).read_text(encoding="utf-8")
    spec = yaml.safe_load(re.sub(r"(imagePullPolicy: .*\n)", rf"\1{lines}", manifest))["spec"]
    container = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]["spec"]["containers"][0]
    assert container.pop("envFrom") == [{"secretRef": {"name": "kg-demo-v1-settings"}}]
    assert container == workload(repository)[1]["containers"][0]


def test_the_page_names_every_file_that_has_the_image(repository):
    part = (
        (repository / "openshift/README.md")
        .read_text(encoding="utf-8")
        .split("### Another owner")[1]
        .split("\n2. ")[0]
    )
    named, image = (
        set(re.findall(r"`(openshift/\S+)`", part)),
        re.search(r"`(ghcr\.io/\S+)`", part)[1],
    )
    have = {
        f"openshift/{path.name}"
        for path in (repository / "openshift").glob("*.yaml")
        if image in path.read_text(encoding="utf-8")
    }
    assert named == have and image not in (repository / "compose.yaml").read_text(encoding="utf-8")


def test_the_number_of_shares_stands_in_one_place(tmp_path):
    made = bake(tmp_path, stack="batch-job")
    manifest = made / "openshift/cronjob.yaml"
    manifest.write_text(
        manifest.read_text(encoding="utf-8").replace("completions: 32", "completions: 7"),
        encoding="utf-8",
    )
    text = run(
        tool("kubectl", "kubernetes.io/docs/tasks/tools"), "kustomize", str(made / "openshift")
    ).stdout
    job = next(d for d in yaml.safe_load_all(text) if d["kind"] == "CronJob")["spec"][
        "jobTemplate"
    ]["spec"]
    assert (
        job["completions"] == 7
        and {"name": "JOB_COMPLETIONS", "value": "7"}
        in job["template"]["spec"]["containers"][0]["env"]
    )


def test_a_second_deployment_keeps_its_own_pods(tmp_path):
    """What an owner adds to openshift/ has a selector and requests of its own."""
    folder = shutil.copytree(TEMPLATE / "tests/golden/fastapi/openshift", tmp_path / "openshift")
    labels = {"app.kubernetes.io/name": "a-worker"}
    (folder / "worker.yaml").write_text(
        json.dumps(
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "a-worker"},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"containers": [{"name": "a-worker", "image": "quay.io/x"}]},
                    },
                },
            }
        ),
        encoding="utf-8",
    )
    file = folder / "kustomization.yaml"
    file.write_text(
        file.read_text(encoding="utf-8").replace("resources:\n", "resources:\n  - worker.yaml\n"),
        encoding="utf-8",
    )
    objects = list(
        yaml.safe_load_all(
            run(tool("kubectl", "kubernetes.io/docs/tasks/tools"), "kustomize", str(folder)).stdout
        )
    )
    templates = {
        o["metadata"]["name"]: o["spec"]["template"]["metadata"]["labels"]
        for o in objects
        if o["kind"] == "Deployment"
    }
    for item in objects:
        selector = item.get("spec", {}).get("selector", {})
        if item["kind"] in ("Deployment", "Service"):
            selector = selector.get("matchLabels", selector)
            assert [
                name for name, labels in templates.items() if selector.items() <= labels.items()
            ] == [item["metadata"]["name"]]
    assert (
        all(o["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kg-demo-v1" for o in objects)
        and "a-worker" in templates
    )


@pytest.mark.parametrize("stack", ["fastapi", "batch-job"])
def test_who_deploys_from_git_pins_in_one_line(stack, tmp_path):
    """Argo CD builds the folder with kustomize: a tag or a digest in kustomization.yaml reaches every container."""
    made = bake(tmp_path, stack=stack)
    file = made / "openshift/kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    for pinned, ends in (
        ('newTag: "1.2.3"', ":1.2.3"),
        ('digest: "sha256:' + "ab" * 32 + '"', "@sha256:" + "ab" * 32),
    ):
        assert f"`{pinned.replace('ab' * 32, '…')}`" in (made / "openshift/README.md").read_text(
            encoding="utf-8"
        )
        file.write_text(text.replace("newTag: latest", pinned), encoding="utf-8")
        built = run(
            tool("kubectl", "kubernetes.io/docs/tasks/tools"), "kustomize", str(made / "openshift")
        )
        assert built.returncode == 0, built.stderr
        images = re.findall(r"(?m)^ *(?:- )?image: (.*)$", built.stdout)
        assert images and all(
            image == f"ghcr.io/maastrichtu-ids/{made.path.name.lower()}{ends}" for image in images
        )


def test_template_files_are_valid_where_they_stand():
    for path in STAGED.rglob("*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        name = path.name.removesuffix(".j2")
        if name.endswith((".yml", ".yaml")):
            assert yaml.compose(text), path
        elif name.endswith(".py"):
            ast.parse(text, feature_version=(3, 9) if path.parent.name == "placing" else None)
    for hook in ("pre_gen_project.py", "post_gen_project.py"):
        ast.parse((TEMPLATE / "hooks" / hook).read_text(encoding="utf-8"), feature_version=(3, 9))


def test_nothing_comes_from_dockerhub_and_no_index_is_named(repository):
    for name in repository.files():
        text = (repository / name).read_text(encoding="utf-8")
        assert not re.search(
            r"docker\.io|hub\.docker\.com|^# *syntax=|index-url|registry\.npmjs",
            text.replace(
                '"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"',
                "",
            ),
            re.MULTILINE,
        ), name
    stages = set()
    for base, name in re.findall(
        r"^FROM (?:--\S+ )?(\S+)(?: AS (\S+))?",
        (repository / "Dockerfile").read_text(encoding="utf-8"),
        re.MULTILINE,
    ):
        assert (
            base.startswith(("ghcr.io/", "quay.io/", "registry.access.redhat.com/"))
            or base in stages
        )
        stages.add(name)


def test_the_lock_file_names_no_address_and_a_hash_for_each_package():
    for lock in STAGED.rglob("package-lock.json"):
        packages = {
            where: what
            for where, what in json.loads(lock.read_text(encoding="utf-8"))["packages"].items()
            if where
        }
        assert packages and all(
            "resolved" not in what and what["integrity"].startswith("sha512-")
            for what in packages.values()
        )


def test_actions_are_pinned_by_commit(repository):
    uses = [
        pin
        for workflow in sorted((repository / ".github/workflows").glob("*.yml"))
        for pin in re.findall(r"uses: (.*)", workflow.read_text(encoding="utf-8"))
    ]
    assert uses and all(
        re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in uses
    )


def test_the_stacks_are_the_choices():
    questions = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    assert questions["stack"] == STACKS and all((STAGED / s).is_dir() for s in STACKS)
    assert {path.name for path in golden.GOLDEN.iterdir()} == set(STACKS)


LONG = {
    "repo_name": "knowledge-graph-of-all-clinical-trials",
    "openshift_project": "knowledge-of-trials",
    "email": "firstname.lastname@maastrichtuniversity.nl",
}
LONGEST = {
    "repo_name": "r" * 30,
    "openshift_project": "p" * 32,
    "github_owner": "o" * 39,
    "github_username": "u" * 39,
    "pull_secret_name": "s" * 70,
    "email": f"{'e' * 30}@{'d' * 10}.example.org",
}


@pytest.mark.parametrize(
    "stack, answers",
    [
        *[(stack, {}) for stack in STACKS],
        *[(stack, names) for stack in ("jupyterlab", "batch-job") for names in (LONG, LONGEST)],
    ],
)
def test_printed_steps_are_short_and_only_commands_are_indented_by_four(
    tmp_path, with_anyuid, stack, answers
):
    made = (
        bake(tmp_path, stack=stack, service_account="anyuid", **answers)
        if answers
        else with_anyuid(stack)
    )
    lines = made.text.rstrip("\n").split("\n")
    steps = lines[lines.index(next(line for line in lines if line.startswith("1. "))) :]
    assert made.status == 0 and len(steps) <= (50 if answers is LONGEST else 45), len(steps)
    assert all(len(line) <= 80 or " https://" in line for line in lines)
    assert f"    cd {made.path.name}" in steps and "$ " not in made.text
    assert all(re.match(r" {4,}\S|  \S|\d\. |$", line) and "###" not in line for line in steps)
    assert [line[0] for line in steps if line[:1].isdigit()] == [
        *("1234567" if FACTS[stack].get("token_variable") else "123456")
    ]


@pytest.mark.parametrize("license_name", ["MIT", "Apache-2.0", "BSD-3-Clause"])
def test_a_licence_names_its_owner(tmp_path, license_name):
    text = (bake(tmp_path, license=license_name, full_name="Mona Octocat") / "LICENSE").read_text(
        encoding="utf-8"
    )
    assert "Mona Octocat" in text and "{{" not in text and "{%" not in text


def test_what_carries_answers_ends_in_j2_and_nothing_else():
    for path in staged_files():
        text = path.read_bytes().decode("utf-8", "replace")
        answers = re.search(r"\{\{ (cookiecutter|the)\.\w|\{% |^\s*#% ", text, re.MULTILINE)
        assert bool(answers) == (path.suffix == ".j2"), path


@pytest.mark.parametrize("stack", STACKS)
def test_each_file_is_the_owner_s_or_the_template_s(stack):
    """Updates leave alone what is the owner's: a path that nobody thought of would be replaced."""
    yours, templates = listed(stack)
    for path in tree(stack, "5Gi"):
        above = {path, *map(str, PurePosixPath(path).parents)}
        whose = sorted(above & yours) + sorted(above & templates)
        assert len(whose) == 1, (
            f"cookiecutter.json, _stacks, {stack}: {path} has to be in one of its lists, `yours` "
            f"(with the reason) or `templates`; it is in {whose or 'none'}"
        )
