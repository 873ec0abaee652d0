"""Makes README.md's tables and its tree out of what they speak of.

That is cookiecutter.json, the hooks' rules, tests/golden and tools/promises.py.

    python tools/tables.py

Each stands between `<!-- NAME: tools/tables.py -->` and `<!-- end -->`.
"""

import json
import re
from pathlib import Path

import yaml
from cookiecutter.generate import generate_context
from cookiecutter.prompt import prompt_for_config
from promises import BREAKS, PROMISES

WIDEST = 90  # columns that GitHub shows without a scroll bar
TEMPLATE = Path(__file__).resolve().parent.parent
README, GOLDEN = TEMPLATE / "README.md", TEMPLATE / "tests" / "golden"
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
TREE = "fastapi"  # whose tree is shown
REASONS = {  # path: why it is there
    ".cruft.json": "what it was made from, of which answers, for updates",
    ".dockerignore": "what an image is built without",
    ".gitattributes": "line endings that work in the image, on Windows too",
    ".github/dependabot.yml": "updates of your code's dependencies",
    ".github/sbom.Dockerfile": "the scanner that lists what the image holds (its SBOM)",
    ".github/workflows/publish.yml": "build, test, run as the cluster will, publish to ghcr.io",
    ".github/workflows/template-update.yml": (
        "a pull request with what changed in the template since"
    ),
    ".gitignore": "what git leaves alone",
    "CITATION.cff": "how to cite it; GitHub shows it",
    "Dockerfile": "the image: for any user ID, its tests in a stage",
    "LICENSE": "the licence that you chose",
    "README.md": "run it here, publish, deploy, update, mend",
    "app/__init__.py": "the application: yours from the first day",
    "app/__main__.py": "starts the server",
    "app/main.py": "the page, /docs and /healthz",
    "app/page.html": "what people see first",
    "app/settings.py": "settings, out of the environment",
    "compose.yaml": "a local run under the cluster's constraints",
    "openshift/README.md": "the printed steps, what comes later, symptoms and cures",
    "openshift/deployment.yaml": "the pod: resources, probes, least rights",
    "openshift/image.py": "the workflow's run as on the cluster, for your desk too",
    "openshift/kustomization.yaml": "what `oc apply -k openshift` applies; the image's tag",
    "openshift/pvc.yaml": "storage that outlives the pod, where you ask for it",
    "openshift/route.yaml": "the address, with https",
    "openshift/service.yaml": "the name inside the cluster",
    "pyproject.toml": "what the application needs",
    "requirements-dev.txt": "what its tests need, each package pinned with its hash",
    "requirements.txt": "the same, each package pinned with its hash",
    "tests/test_app.py": "the application's tests; who fails them is not published",
}


def row_of(cells):
    """Markdown of a table's row."""
    escaped_cells = [" ".join(cell.replace("|", "\\|").split()) for cell in cells]
    return f"| {' | '.join(escaped_cells)} |"


def table(*rows):
    """Markdown of a table, its first row the head."""
    lines = [row_of(row) for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def code(text):
    """Markdown's code."""
    return f"`{text}`"


def source(key):
    """The question that a computed default follows from, or None."""
    value = QUESTIONS[key]
    for name in re.findall(r"cookiecutter\.(\w+)", value if isinstance(value, str) else ""):
        if name == "_stacks":
            return "stack"
        return source(name) if name.startswith("__") else name
    return None


def questions():
    """What is asked: key, question, default, what is allowed."""
    defaults = prompt_for_config(
        generate_context(str(TEMPLATE / "cookiecutter.json")), no_input=True
    )
    hook = {"__name__": "hook", "__file__": "hook"}
    text = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text(encoding="utf-8")
    exec(
        text.replace(
            "{{ cookiecutter | tojson }}",
            json.dumps({"_stacks": QUESTIONS["_stacks"], "stack": QUESTIONS["stack"][0]}),
        ),
        hook,
    )
    rows = [("", "question", "default", "allowed")]
    for key, value in QUESTIONS.items():
        if key.startswith("_"):
            continue
        prompt, allowed, default = (
            QUESTIONS["__prompts__"][key],
            hook["RULES"][key].allowed,
            code(defaults[key]),
        )
        if isinstance(value, list):
            choices = [re.sub(r"^([^:]+)", r"`\1`", prompt[choice]) for choice in value]
            allowed = "one of the [stacks](#stacks)" if key == "stack" else "<br>".join(choices)
            prompt = prompt["__prompt__"]
        elif source(key):
            default += f", from `{source(key)}`"
        rows.append((code(key), prompt, default, allowed))
    return table(*rows)


def paths(stack):
    """What is generated, without .cruft.json, which only a template from git gives."""
    folder = GOLDEN / stack
    kept = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "copied.txt"
    ]
    return sorted(
        kept
        + [
            line.split("  ")[0]
            for line in (folder / "copied.txt").read_text(encoding="utf-8").splitlines()
        ]
    )


def tree(found=None):
    """The files of a repository, each with its reason."""
    found = set(found or paths(TREE)) | {".cruft.json"}
    if found != set(REASONS):
        unexplained, gone = sorted(found - set(REASONS)), sorted(set(REASONS) - found)
        raise ValueError(
            f"tools/tables.py, REASONS: no reason for {unexplained}; no longer there: {gone}"
        )
    lines = []

    def walk(folder, indent):
        here = sorted(
            {
                path[len(folder) :].split("/")[0] + ("/" if "/" in path[len(folder) :] else "")
                for path in found
                if path.startswith(folder)
            },
            key=lambda name: (not name.endswith("/"), name.lower()),
        )
        for name in here:
            last = name == here[-1]
            lines.append(
                (indent + ("└── " if last else "├── ") + name, REASONS.get(folder + name, ""))
            )
            if name.endswith("/"):
                walk(folder + name, indent + ("    " if last else "│   "))

    walk("", "")
    width = max(len(start) for start, _ in lines) + 2
    shown = [f"{start:{width}}{reason}".rstrip() for start, reason in lines]
    if max(map(len, shown)) > WIDEST:
        raise ValueError(f"tools/tables.py, REASONS: too long: {max(shown, key=len)}")
    return "\n".join(["```text", *shown, "```"])


def resources_of(stack):
    """What the first container of a stack's pod asks for, and what it may have."""
    folder = GOLDEN / stack / "openshift"
    workload = folder / "deployment.yaml"
    if not workload.exists():
        workload = folder / "cronjob.yaml"
    spec = yaml.safe_load(workload.read_text(encoding="utf-8"))["spec"]
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"]["spec"]
    return spec["template"]["spec"]["containers"][0]["resources"]


def health_of(facts):
    """What is asked to know whether a stack's application is well."""
    if "health_path" not in facts:
        return "none: it ends"
    return code(facts["health_path"]) if facts["health_path"] else "none: its port"


def storage_of(facts):
    """What a stack keeps, and where."""
    text = facts["storage"]
    if facts.get("needs_storage"):
        text += ", always"
    if "storage_path" in facts:
        text += f", in `{facts['storage_path']}`"
    return text


def stacks():
    """What differs by stack, as its manifests have it."""
    rows = [("stack", "for", "health path", "storage", "CPU", "memory", "local disk")]
    for stack, facts in QUESTIONS["_stacks"].items():
        purpose = QUESTIONS["__prompts__"]["stack"][stack].split(": ", 1)[1]
        resources = resources_of(stack)
        least, most = resources["requests"], resources["limits"]
        kinds = ("cpu", "memory", "ephemeral-storage")
        amounts = [f"{least[kind]} to {most[kind]}" for kind in kinds]
        rows.append((code(stack), purpose, health_of(facts), storage_of(facts), *amounts))
    return table(*rows)


def promises():
    """Each promise, with the tests that fail once it is broken."""
    rows = [("", "promise", "held by")]
    for number, text in PROMISES.items():
        held = []
        for path, *selected in [tests for promise, *_, tests in BREAKS if promise == number]:
            names = re.findall(
                r"(?m)^def (test_\w+)", (TEMPLATE / path).read_text(encoding="utf-8")
            )
            word = selected[1].split(" ")[0]
            name = next((name for name in names if word in name), None)
            if not name:
                raise ValueError(
                    f"tools/promises.py, promise {number}: {path} has no test with {word!r} in its "
                    "name"
                )
            held.append(f"[`{name}`]({path})")
        if not held:
            raise ValueError(f"tools/promises.py breaks promise {number} nowhere")
        rows.append((str(number), text, "<br>".join(held)))
    return table(*rows)


def escaped(text):
    """A text that re.sub puts in as it is."""
    return text.replace("\\", r"\\")


def filled(text):
    """README's text with every table as it should be."""
    for make in (questions, tree, stacks, promises):
        pattern = rf"(<!-- {make.__name__}: tools/tables\.py -->\n).*?(\n<!-- end -->)"
        text, count = re.subn(
            pattern,
            f"\\1\n{escaped(make())}\n\\2",
            text,
            flags=re.DOTALL,
        )
        if count != 1:
            raise ValueError(f"README.md has {count} places for {make.__name__}")
    return text


if __name__ == "__main__":
    README.write_bytes(filled(README.read_text(encoding="utf-8")).encode("utf-8"))
