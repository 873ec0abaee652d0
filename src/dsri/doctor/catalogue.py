"""What each finding says: what is wrong, why, and how to fix it.

The findings stand in the order in which to fix them: what stands earlier hides what stands later.
A key is a finding's name, and after a slash one of its cases. dsri.doctor.finding.Entry explains
the fields."""

from __future__ import annotations

from dsri.doctor.commands import LOGIN_PAGE
from dsri.doctor.finding import Entry

SUPPORT = "dsri-support-l@maastrichtuniversity.nl"
RELABELLED = (
    "A large volume is relabelled at each start, unless its pod has runtimeClassName: selinux."
)
READABLE = (
    "in the Dockerfile: RUN chgrp -R 0 FOLDER && chmod -R g=u FOLDER; HOME and caches below /tmp"
)
WAIT_FOR_A_PLACE = "$ get deployments,statefulsets,jobs,pods"
NO_LOGIN_NEEDED = "The probe wants a status from 200 to 399, without a login."
TO_BE_MADE_AGAIN = "make it again once it has gone"
REFUSED_TOKEN = "{host} refuses the token in the secret {secret} for {image}."
LINUX_BUILD = "docker build --platform linux/amd64 -t {image} . && docker push {image}"

ALLOW_ACTIONS = (
    "an owner allows the actions that publish.yml uses: "
    "https://github.com/organizations/{owner}/settings/actions (and the repository's own settings)"
)
JOB_MAY_WRITE = "in .github/workflows/publish.yml: packages: write among the permissions of its job"
PACKAGE_ACCESS = "the package's settings, Manage Actions access: {repository}, Write"
WORKFLOWS_OWN_TOKEN = "in publish.yml, log in with the workflow's own token: ${{ github.token }}"
CLASSIC_TOKEN = "or put a new classic token with write:packages in the repository's secret"
RUN_AGAIN = "gh run rerun {run} --failed --repo {repository}"

COULD_NOT_LOOK = {
    "no-tool": Entry(
        what="There is no oc and no kubectl here that runs.",
        fix=(
            "install oc: the question mark on top of https://console.dsri.unimaas.nl, "
            "Command line tools",
        ),
    ),
    "no-manifests": Entry(
        what="The folder openshift cannot be read here.",
        why="Run this in the application's repository, or name it.",
        fix=("dsri doctor --project PROJECT --name NAME",),
    ),
    "bad-config": Entry(
        what="The configuration for the cluster cannot be used.",
        why="It is the file in KUBECONFIG, else ~/.kube/config.",
        fix=(
            "fix what it says, or move that file away and log in again: "
            "https://console.dsri.unimaas.nl, your name, Copy login command",
        ),
    ),
    "not-logged-in": Entry(
        what="You are not logged in, or the login has expired.",
        why="A login ends after some time.",
        fix=(LOGIN_PAGE,),
    ),
    "unreachable": Entry(
        what="The cluster does not answer.",
        why="It is reachable from the university's network and its VPN only.",
        fix=("connect to the VPN, then run this again",),
    ),
    "unreachable/proxy": Entry(
        what="The cluster does not answer.",
        why="It is asked through the proxy that HTTPS_PROXY names.",
        fix=(
            "unset HTTPS_PROXY https_proxy, where that proxy does not lead to it; then:",
            "connect to the VPN, then run this again",
        ),
    ),
    "unreachable/certificate": Entry(
        what="The cluster does not answer.",
        why=(
            "What answers has another certificate than the login was made for: it is another "
            "server, or the login is an old one."
        ),
        fix=(
            "connect to the VPN, then run this again",
            "where it says the same: log in again: https://console.dsri.unimaas.nl, your name, "
            "Copy login command",
        ),
    ),
    "cluster-unwell": Entry(
        what="The cluster answers, but not as it should.",
        why="It has too much to do, or is being updated.",
        fix=(f"run this again in some minutes; if it stays so, ask {SUPPORT}",),
    ),
}

PROJECT_AND_WORKLOAD = {
    "no-project": Entry(
        what="There is no project {project}, or you have no access to it.",
        why="{near}",
        fix=("{make}",),
    ),
    "project-ending": Entry(
        what="The project {project} is being deleted, with all that is in it.",
        fix=("{watch}", "make it again once it has gone"),
    ),
    "no-workload": Entry(
        what="{name} is not deployed in {project}.",
        why="{near}",
        fix_in_repository=("{apply}",),
        fix=("$ get deployments,cronjobs,statefulsets",),
    ),
    "scaled-down": Entry(
        what="It is switched off: it has 0 replicas.",
        fix=("$ scale {target} --replicas=1",),
    ),
    "paused/suspended": Entry(
        what="It is suspended: nothing runs.",
        fix=('$ patch {kind_in_commands} {name} -p "spec: {suspend: false}"',),
    ),
    "paused/rollout": Entry(
        what="Its rollout is paused: changes wait.",
        fix=("$ rollout resume {target}",),
    ),
}

PUBLISHING = {
    "publish-not-started": Entry(
        what="The last publish run did not start, so what was pushed last is not published.",
        why=(
            "Mostly an action that a policy of the organisation does not allow, or a mistake in "
            "the workflow's file; the page says which: {url}"
        ),
        fix=(
            ALLOW_ACTIONS,
            "a mistake in the file: correct .github/workflows/publish.yml, and push it",
            "gh workflow run publish.yml --repo {repository}",
        ),
    ),
    "publish-not-allowed": Entry(
        what="The last publish run uses an action that a policy does not allow.",
        why="The organisation, the enterprise or the repository lists the actions that may run.",
        fix=(ALLOW_ACTIONS, "gh run rerun {run} --repo {repository}"),
    ),
    "publish-denied/create": Entry(
        what="The last publish run was not allowed to create the package.",
        why=(
            "The organisation {owner} does not let this repository create packages, or the job's "
            "token may only read. The package is not there yet, so it has no settings of its own."
        ),
        fix=(
            "an owner of the organisation allows package creation: "
            "https://github.com/organizations/{owner}/settings/packages",
            JOB_MAY_WRITE,
            RUN_AGAIN,
        ),
    ),
    "publish-denied/read-only": Entry(
        what="The last publish run was not allowed to write packages.",
        why=(
            "Its token may only read, as in a fork, in a run that Dependabot started, or in a job "
            "without packages: write; or the image has another owner's name."
        ),
        fix=(
            JOB_MAY_WRITE,
            "the image's name is ghcr.io/{repository}, in lower case",
            "a run that Dependabot started: gh workflow run publish.yml --repo {repository}",
            RUN_AGAIN,
        ),
    ),
    "publish-denied/package": Entry(
        what="The last publish run was not allowed to write the package.",
        why="The package was first pushed by hand, or by another repository.",
        fix=(PACKAGE_ACCESS, RUN_AGAIN),
    ),
    "publish-denied/scope": Entry(
        what="The last publish run logged in with a token that may not write packages.",
        why="It is not the workflow's own: a personal one without write:packages, or fine-grained.",
        fix=(WORKFLOWS_OWN_TOKEN, CLASSIC_TOKEN, RUN_AGAIN),
    ),
    "publish-denied/sso": Entry(
        what="The last publish run logged in with a token that the organisation does not take.",
        why="A personal token has to be authorised for an organisation with single sign-on.",
        fix=(
            WORKFLOWS_OWN_TOKEN,
            "or authorise that token: https://github.com/settings/tokens, Configure SSO",
            RUN_AGAIN,
        ),
    ),
    "publish-denied/address": Entry(
        what="The last publish run came from an address that the organisation does not let in.",
        why="The organisation has a list of allowed IP addresses.",
        fix=(
            "an owner of the organisation allows the runner's address: "
            "https://github.com/organizations/{owner}/settings/security",
            RUN_AGAIN,
        ),
    ),
    "publish-denied/login": Entry(
        what="The registry refused the login of the last publish run.",
        why="The token is wrong, or has ended.",
        fix=(WORKFLOWS_OWN_TOKEN, CLASSIC_TOKEN, RUN_AGAIN),
    ),
    "publish-denied/unknown": Entry(
        what="The last publish run was not allowed to write the package.",
        why="Actions may not write it, for example because it was first pushed by hand.",
        fix=(PACKAGE_ACCESS, JOB_MAY_WRITE, RUN_AGAIN),
    ),
    "publish-failed/base-image": Entry(
        what="The last publish run was not allowed to pull an image that it builds on.",
        why="{url}",
        fix=(
            "where that image is a private package: its settings, Manage Actions access: "
            "{repository}, Read",
            "else: another image or tag in the Dockerfile's FROM",
            RUN_AGAIN,
        ),
    ),
    "publish-failed/time": Entry(
        what="The last publish run took too long and was ended, so nothing was published.",
        why="{url}",
        fix=(
            "gh run view {run} --repo {repository}",
            "what takes long made shorter, or more timeout-minutes in publish.yml; or again:",
            RUN_AGAIN,
        ),
    ),
    "publish-failed/no-log": Entry(
        what="The last publish run failed, so what was pushed last is not published.",
        why="No step has a log; what GitHub says of the run does: {url}",
        fix=("gh run view {run} --repo {repository}",),
    ),
    "publish-failed/step": Entry(
        what="The last publish run failed, so what was pushed last is not published.",
        why="{url}",
        fix=("gh run view {run} --log-failed --repo {repository}",),
    ),
    "publish-unfinished/cancelled": Entry(
        what="The last publish run was cancelled, so what was pushed last is not published.",
        why="{url}",
        fix=("gh run rerun {run} --repo {repository}",),
    ),
    "publish-unfinished/stale": Entry(
        what="The last publish run never ended, and GitHub has given it up.",
        why="{url}",
        fix=("gh workflow run publish.yml --repo {repository}",),
    ),
    "publish-unfinished/other": Entry(
        what="The last publish run ended as: {ended}. What was pushed last may not be published.",
        why="{url}",
        fix=("gh run view {run} --repo {repository}",),
    ),
    "publish-waits/approval": Entry(
        what="The last publish run waits for approval.",
        why="Somebody who may write to {repository} has to allow it.",
        fix=("allow it there: {url}",),
    ),
    "publish-waits/review": Entry(
        what="The last publish run waits for a review of its environment.",
        why="The environment's rules name who may give it.",
        fix=("review it there: {url}",),
    ),
    "publish-waits/runner": Entry(
        what="The last publish run has waited for over half an hour.",
        why="No runner takes it: runs-on names none, the minutes are used up, or another run goes.",
        fix=("gh run view {run} --repo {repository}",),
    ),
    "never-published": Entry(
        what=(
            "The image was never published: the workflow publish.yml has not run for the default "
            "branch or a tag."
        ),
        fix=("git push",),
    ),
}

PULL_SECRETS = {
    "no-account": Entry(
        what="The project has no service account {account}.",
        why="No pod is made for an account that is not there.",
        fix=("{ask}", "{change}"),
        change="serviceAccountName: default",
        command="set serviceaccount {target} default",
    ),
    "no-pull-secret/another-project": Entry(
        what="The account {account} of {project} may not pull from the project {other}.",
        why="The cluster's own registry wants no secret, but a right.",
        fix=("{grant}", "{restart}"),
    ),
    "no-pull-secret/none": Entry(
        what="Neither the pod nor its account {account} names a pull secret.",
        why="{host} gives {image} to nobody without a login, or has no such image.",
        fix=("{new_secret}",),
    ),
    "pull-secret-missing/needed": Entry(
        what="The project has no secret {secret}, which the pod names to pull its image.",
        why="One in another project does not count.",
        fix=("{new_secret}",),
    ),
    "pull-secret-missing/unused": Entry(
        what="The project has no secret {secret}, which the pod names; a private image needs it.",
        fix=("{new_secret}",),
        warning=True,
    ),
    "pull-secret-broken": Entry(
        what="The secret {secret} holds no login that can be read.",
        fix=("{new_secret}",),
    ),
    "pull-secret-type": Entry(
        what="The secret {secret} is of {type}, which no pull looks at.",
        why="A pull secret is made by `create secret docker-registry`.",
        fix=("{new_secret}",),
    ),
    "pull-secret-registry": Entry(
        what="The secret {secret} is for {places}; the image comes from {host}.",
        why="{why}",
        fix=("{new_secret}",),
    ),
    "pull-secret-user": Entry(
        what="In the secret {secret}, a token stands where the user name should be.",
        why="It is not shown here.",
        fix=("{new_secret}",),
    ),
    "pull-secret-token/elsewhere": Entry(
        what="The secret {secret} has no token that {host} takes.",
        why="It was made from a Docker configuration that keeps its logins elsewhere (credsStore).",
        fix=("{new_secret}",),
    ),
    "pull-secret-token/empty": Entry(
        what="The secret {secret} has no token that {host} takes.",
        why="The token in it is empty.",
        fix=("{new_secret}",),
    ),
    "pull-secret-token/with-spaces": Entry(
        what="The secret {secret} has no token that {host} takes.",
        why="The token in it has a space or a line's end in it.",
        fix=("{new_secret}",),
    ),
    "pull-secret-token/placeholder": Entry(
        what="The secret {secret} has no token that {host} takes.",
        why="What stands in it is a placeholder.",
        fix=("{new_secret}",),
    ),
    "pull-secret-token/fine-grained": Entry(
        what="The secret {secret} has no token that {host} takes.",
        why="The token in it is a fine-grained one, which ghcr.io does not take.",
        fix=("{new_secret}",),
    ),
    "pull-secret-token/of-openshift": Entry(
        what="The secret {secret} has no token that {host} takes.",
        why="The token in it is one of OpenShift's.",
        fix=("{new_secret}",),
    ),
    "pull-secret-token/of-a-workflow": Entry(
        what="The secret {secret} has no token that {host} takes.",
        why="The token in it is a workflow's own, which ended with its run.",
        fix=("{new_secret}",),
    ),
    "pull-secret-not-linked": Entry(
        what=(
            "The pull secret {secret} is linked to the account {other}; the pod runs as {account}."
        ),
        why=(
            "A pod takes what it names itself under imagePullSecrets, or else what its own account "
            "has."
        ),
        fix=("{link}", "{restart}"),
    ),
}

IMAGE_STREAMS = {
    "image-stream/no-stream": Entry(
        what="The container {container} gets its image from the ImageStreamTag {tag}, which is not "
        "there.",
        why="The project {stream_project} has no ImageStream {stream}.",
        fix=("{lines}",),
    ),
    "image-stream/no-tag": Entry(
        what="The container {container} gets its image from the ImageStreamTag {tag}, which is not "
        "there.",
        why="The ImageStream {stream} of {stream_project} has no such tag, so no image is put in.",
        fix=("{lines}",),
    ),
    "image-stream/follows": Entry(
        what="The container {container} gets its image from the ImageStreamTag {tag}, which has "
        "none.",
        why="It follows {origin}, which is not there.",
        fix=("{lines}",),
    ),
    "image-stream/not-imported": Entry(
        what="The container {container} gets its image from the ImageStreamTag {tag}, which has "
        "none.",
        why="{origin} was not imported yet.",
        fix=("{lines}",),
    ),
    "image-stream/import-failed": Entry(
        what="The ImageStreamTag {tag}, which the container {container} gets its image from, could "
        "not be imported.",
        why="It is made from {origin}.",
        fix=("{lines}",),
    ),
    "image-stream/paused": Entry(
        what="The container {container} has no image: its trigger for the ImageStreamTag {tag} is "
        "paused.",
        why="The tag has an image; nothing puts it in.",
        fix=("{lines}",),
    ),
    "image-stream/not-filled-in": Entry(
        what="The container {container} has no image, although the ImageStreamTag {tag} has one.",
        why="The trigger did not put it in.",
        fix=("{lines}",),
    ),
    "image-stream/not-seen": Entry(
        what="The container {container} has no image: the ImageStreamTag {tag} is to give it one.",
        why="You may not read it here; mostly it is not there.",
        fix=("{lines}",),
    ),
    "image-stream/none": Entry(
        what="The container {container} has no image: a blank stands in its place.",
        why="OpenShift fills in a blank only where a trigger names an ImageStreamTag.",
        change="image: REGISTRY/OWNER/NAME:TAG",
        command="set image {target} {container}=REGISTRY/OWNER/NAME:TAG",
    ),
}

PULLING = {
    "image-name": Entry(
        what="The image's name is not one that can be pulled: {image}",
        why="A name is REGISTRY/OWNER/NAME:TAG, without https:// and capital letters.",
        change="image: {right}{also}",
        command="set image {target} {container}={right}",
    ),
    "image-missing/not-in-registry": Entry(
        what="{host} has no image {shown}.",
        why="It was not published yet, or was cleaned up.",
        fix=("{look}", "{rename}"),
    ),
    "image-missing/being-published": Entry(
        what="{host} has no image {shown}.",
        why="The publish run is under way.",
        fix=("{look}",),
    ),
    "image-missing/published": Entry(
        what="{host} has no image {shown}.",
        why=(
            "The last publish run ended well, so the name or the tag is another one, or the image "
            "was cleaned up."
        ),
        fix=("{look}", "{rename}"),
    ),
    "image-missing/would-not-start": Entry(
        what="It runs, but would not start again: {host} answers {status} for {image}.",
        why="{asked}",
        fix=("git push",),
        warning=True,
    ),
    "token-refused/renewed": Entry(
        what="{host} has refused the pull.",
        why=(
            "Asked just now with the secret {secret}, {host} gives the image: the secret was "
            "renewed since."
        ),
        fix=("{restart}",),
    ),
    "token-refused/ended": Entry(
        what=REFUSED_TOKEN,
        why="GitHub says that the token is wrong, has ended or was taken back.{more}",
        fix=("{new_secret}",),
    ),
    "token-refused/scope": Entry(
        what=REFUSED_TOKEN,
        why="The token lacks read:packages.{more}",
        fix=("{new_secret}",),
    ),
    "token-refused/valid": Entry(
        what=REFUSED_TOKEN,
        why=(
            "The token is valid, but may not read {repository}: the account lacks access to the "
            "package, or the token lacks SSO.{more}"
        ),
        fix=("{new_secret}",),
    ),
    "token-refused/public": Entry(
        what=REFUSED_TOKEN,
        why=(
            "Without a login the image is given: the token is wrong or has ended. ghcr.io refuses "
            "such a token for a public image, too.{more}"
        ),
        fix=("{new_secret}",),
    ),
    "token-refused/login": Entry(
        what=REFUSED_TOKEN,
        why=(
            "Asked just now, {host} refuses the login itself: the token is wrong, has ended or is "
            "fine-grained.{more}"
        ),
        fix=("{new_secret}",),
    ),
    "token-refused/image": Entry(
        what=REFUSED_TOKEN,
        why=(
            "Asked just now, {host} takes the login and refuses the image: the account lacks "
            "access to the package, or the token lacks SSO or read:packages.{more}"
        ),
        fix=("{new_secret}",),
    ),
    "token-refused/unknown": Entry(
        what=REFUSED_TOKEN,
        why=(
            "The token is wrong, has ended, is fine-grained, lacks SSO, or its account may not "
            "read this package.{more}"
        ),
        fix=("{new_secret}",),
    ),
    "token-refused/would-not-start": Entry(
        what="It runs, but would not start again: {host} answers {status} for {image}.",
        why="{asked}",
        fix=("{new_secret}",),
        warning=True,
    ),
    "image-platform": Entry(
        what="{image} is not built for the cluster's processors.",
        why="DSRI is linux/amd64.",
        fix=("docker build --platform linux/amd64 -t {plain} . && docker push {plain}",),
    ),
    "pull-limit": Entry(
        what="{host} has answered that there were too many pulls (429).",
        why="{why}",
        fix=("publish the image on ghcr.io, or take it from ghcr.io or quay.io",),
    ),
    "registry-unreachable": Entry(
        what="The cluster does not reach {host}.",
        why="The name may be wrong, or the registry down.",
        fix=("$ get events --field-selector involvedObject.name={pod}",),
    ),
    "pull-failed/never": Entry(
        what="The image {image} is not on the node, and is not to be pulled.",
        why="imagePullPolicy is Never.",
        change="imagePullPolicy: Always",
    ),
    "pull-failed/other": Entry(
        what="The image {image} is not pulled ({reason}).",
        fix=("$ describe pod {pod}",),
    ),
}

ADMISSION = {
    "quota/rollout": Entry(
        what="The project's quota has no room for this pod.",
        why="A rollout starts a pod more before it ends an old one.",
        fix=("{quota}", "{change}", "{restart}"),
        change="strategy.rollingUpdate: {maxSurge: 0, maxUnavailable: 1}",
        command="patch deployment {name} -p {patch}",
    ),
    "quota/several": Entry(
        what="The project's quota has no room for this pod.",
        why="It has room for {there} of {wanted} pods.",
        fix=("{quota}", "{change}"),
        change="replicas: {there}, or smaller resources",
        command="scale {target} --replicas={there}",
    ),
    "quota/pods": Entry(
        what="The project's quota has no room for this pod.",
        fix=("{quota}", WAIT_FOR_A_PLACE, "there: end what is no longer needed", "{restart}"),
    ),
    "quota/resources": Entry(
        what="The project's quota has no room for this pod.",
        fix=("{quota}", "{change}"),
        change="smaller resources, or end what else is no longer needed",
    ),
    "resources-missing": Entry(
        what="The cluster refuses a container that leaves out a request or a limit.",
        why="Missing: {missing}.",
        change="requests and limits of cpu, memory and ephemeral-storage",
        command="{command}",
    ),
    "maxima/of-dsri": Entry(
        what="A container asks for more than DSRI allows.",
        why="{amounts}.",
        change="no more than the maxima",
        command="{command}",
    ),
    "maxima/of-the-project": Entry(
        what="A container asks for {more_or_less} than the project allows.",
        change="{larger_or_smaller} resources",
        command="{command}",
    ),
    "security-context": Entry(
        what="OpenShift refuses what the pod asks for.",
        why="{why}",
        fix=("{change}", "{anyuid}"),
        change="take out {fields}",
    ),
    "pod-refused/class": Entry(
        what="The API server refuses the pod.",
        why="The cluster has no {wish} {value}.",
        fix=("{take_out}",),
    ),
    "pod-refused/other": Entry(
        what="The API server refuses the pod.",
        fix=("$ describe {kind_in_commands} {name}",),
    ),
}

STORAGE_AND_NODES = {
    "claim-missing/none": Entry(
        what="The storage {claim} is not there: the project has no such PersistentVolumeClaim.",
        fix_in_repository=("{apply}",),
        fix=("$ get pvc", "make the claim {claim}, or name another one in the {kind}"),
    ),
    "claim-missing/ending": Entry(
        what="The storage {claim} is being deleted, and goes when no pod uses it any more.",
        why="Its data goes with it.",
        fix_in_repository=("$ describe pvc {claim}", "{apply}"),
        fix=("$ describe pvc {claim}", "make the claim {claim} again, once it has gone"),
    ),
    "claim-not-bound/claim": Entry(
        what="The storage {claim} is {phase}: it has no volume.",
        why="{why}",
        fix=("{lines}",),
    ),
    "claim-not-bound/pod": Entry(
        what="The pod waits for its storage.",
        fix=("$ describe pvc",),
    ),
    "volume-not-mounted/place": Entry(
        what="A volume cannot be mounted at its place.",
        why=(
            "A file and a folder do not go over each other: a subPath that its volume does not "
            "have is made as a folder."
        ),
        change="the mountPath and the subPath of its volumeMounts",
    ),
    "volume-not-mounted/slow": Entry(
        what="The container is not made in time.",
        why=RELABELLED,
        change=(
            "runtimeClassName: selinux, with the annotation "
            'io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel: "true"'
        ),
    ),
    "volume-not-mounted/relabelled": Entry(
        what="A volume cannot be mounted.",
        why=RELABELLED,
        fix=("$ describe pod {pod}",),
    ),
    "volume-not-mounted/other": Entry(
        what="A volume cannot be mounted.",
        fix=("$ describe pod {pod}",),
    ),
    "volume-held/several": Entry(
        what="Another pod holds the volume, which only one {holder} may have ({mode}).",
        why="It has several replicas: they need a claim of ReadWriteMany.",
        fix_in_repository=("{change}",),
        fix=("$ scale {target} --replicas=1",),
        change="replicas: 1",
    ),
    "volume-held/rollout": Entry(
        what="Another pod holds the volume, which only one {holder} may have ({mode}).",
        why=(
            "With a rolling update the new pod waits for the old one, and the old one for the new "
            "one."
        ),
        change="strategy: {type: Recreate}",
        command="patch {kind_in_commands} {name} -p {patch}",
    ),
    "no-room/resources": Entry(
        what="No node has free what the pod asks for: {short}.",
        fix=("wait until others end, or:", "{change}"),
        change="smaller resources.requests",
        command="set resources {target}{container} --requests={less}",
    ),
    "no-room/devices": Entry(
        what="No node has free what the pod asks for: {short}.",
        fix=("wait until others end, or:", "{change}"),
        change=f"take out {{devices}}, or ask {SUPPORT} for it",
    ),
    "no-room/pods": Entry(
        what="No node has a place for one more pod, or takes new ones now.",
        fix=("wait, or end what is no longer needed:", WAIT_FOR_A_PLACE),
    ),
    "not-scheduled/wish": Entry(
        what="No node takes the pod.",
        why="The reason is its {wish}.",
        fix=("{lines}",),
    ),
    "not-scheduled/rule-before": Entry(
        what="No node takes the pod.",
        why="The reason is a rule of the release before.",
        fix=("{lines}",),
    ),
    "not-scheduled/scheduler": Entry(
        what="No node takes the pod.",
        why="It waits for the scheduler {scheduler}, which does not look at it.",
        fix=("{lines}",),
    ),
    "not-scheduled/daemon-set": Entry(
        what="No node takes the pod.",
        fix=("$ describe daemonset {name}",),
    ),
    "not-scheduled/pod": Entry(
        what="No node takes the pod.",
        fix=("$ describe pod {pod}",),
    ),
}

STARTING = {
    "config-missing/key": Entry(
        what="The {thing} {config} has no key {key}, which the container names.",
        fix=("$ patch {config_kind} {config} -p {patch}",),
    ),
    "config-missing/token": Entry(
        what="The {thing} {config}, which the container names, is not there.",
        fix=("openshift/README.md, step 5, makes it",),
    ),
    "config-missing/thing": Entry(
        what="The {thing} {config}, which the container names, is not there.",
        fix=("$ create {make} {config} {literals}",),
    ),
    "config-missing/unknown": Entry(
        what="Something that the container's settings name is not there.",
        fix=("$ describe pod {pod}",),
    ),
    "user-not-numeric": Entry(
        what="The image's user is root, or a name.",
        why="The cluster has to see from a number that it is not root.",
        fix=("in the Dockerfile, before CMD: USER 1001:0", "{publish}"),
    ),
    "evicted/volume": Entry(
        what="A pod was put off its node.",
        change="emptyDir.sizeLimit of the volume {volume}: more; or write less",
    ),
    "evicted/limit": Entry(
        what="A pod was put off its node.",
        change="resources.limits.ephemeral-storage: more; or write less",
        command="{command}",
    ),
    "evicted/request": Entry(
        what="A pod was put off its node.",
        change="a higher request for what the message names; or write less",
    ),
    "out-of-memory/ended": Entry(
        what="It took more memory than its limit{limit}, and was ended.",
        change="resources.limits.memory: {more}, or less in memory",
        command="set resources {target} -c {container} --limits=memory={more}",
    ),
    "out-of-memory/restarted": Entry(
        what="It runs, but was ended at {ended} for more memory than its limit of {limit}.",
        why="Restarts: {restarts}.",
        change="resources.limits.memory: {more}",
        command="set resources {target} -c {container} --limits=memory={more}",
        warning=True,
    ),
    "exec-format": Entry(
        what="The image was built for another processor (exec format error).",
        why=(
            "DSRI is linux/amd64; a Mac with an M chip builds for arm64. A script without its #! "
            "line says the same."
        ),
        fix_in_repository=("git push (the workflow builds for linux/amd64)", "{restart}"),
        fix=(LINUX_BUILD, "{restart}"),
    ),
    "command-missing/manifest": Entry(
        what="The container's command is not in the image.",
        why="A typing error, a file left out by .dockerignore, or Windows line ends in a script.",
        change="command",
    ),
    "command-missing/image": Entry(
        what="The container's command is not in the image.",
        why="A typing error, a file left out by .dockerignore, or Windows line ends in a script.",
        fix=("correct CMD or ENTRYPOINT in the Dockerfile", "{publish}"),
    ),
    "command-missing/start": Entry(what="{what}", fix=("{start_fix}", "{publish}")),
    "volume-read-only/marked": Entry(
        what="It writes to {path}, which is mounted read-only.",
        change="take readOnly: true out of the volume",
    ),
    "volume-read-only/kind": Entry(
        what="It writes to {path}, which is mounted read-only.",
        change="another volume; this kind cannot be written",
    ),
    "root-read-only": Entry(
        what="It writes to its own file system, which is read-only.",
        why="{why}",
        fix=(
            "let it write there; set HOME and the caches of your tools to a place below /tmp",
            "{publish}",
        ),
    ),
    "low-port": Entry(
        what="It listens on a port below 1024, which only root may.",
        change="containerPort and PORT: 8080 (the application has to listen there)",
    ),
    "permission/command": Entry(
        what="The container's command may not be run by a user of group 0.",
        why="It has no execute bit, or lies in a folder that only its owner may enter.",
        fix=(
            "in the Dockerfile: COPY --chmod=755 SCRIPT /, or RUN chmod a+rx SCRIPT and each "
            "folder above it",
            "{publish}",
        ),
    ),
    "permission/files": Entry(
        what="It reads or writes what a random user of group 0 may not.",
        why="It runs as user {user}, group 0.",
        fix=(READABLE, "{publish}"),
    ),
    "liveness/liveness": Entry(
        what="The liveness probe fails, so the cluster ends the container again and again.",
        fix=("{change}", "{logs}"),
        change=(
            "livenessProbe: the path and port that it answers on; a startupProbe, where it starts "
            "slowly"
        ),
    ),
    "liveness/startup": Entry(
        what="The startup probe never succeeds, so the cluster ends the container again and again.",
        fix=("{change}", "{logs}"),
        change="startupProbe: the path and port that it answers on, or a higher failureThreshold",
    ),
    "crash/not-started": Entry(
        what="The container cannot be started.",
        fix=("$ describe pod {pod}",),
    ),
    "crash/start": Entry(what="{what}", fix=("{start_fix}", "{publish}")),
    "crash/hook": Entry(
        what="Its postStart hook fails, so the cluster ends it.",
        fix=("{change}", "{logs}"),
        change="lifecycle.postStart: a command that ends well",
    ),
    "crash/status-0": Entry(
        what="It ends by itself, with status 0: a service has to keep running.",
        why="{log_says}",
        fix=("{logs}",),
    ),
    "crash/status": Entry(
        what="It ends by itself, with status {status}.",
        why="{log_says}",
        fix=("{logs}",),
    ),
    "crash/from-outside": Entry(
        what="It ends by itself, with status {status}.",
        why=(
            "{log_says} It was ended from outside: by its liveness probe, or for want of memory "
            "on the node."
        ),
        fix=("{logs}",),
    ),
    "job-failed/run": Entry(
        what="The run {run} has failed{shares}.",
        why="{why}",
        fix=("{logs}", "{again}"),
    ),
    "job-failed/pods": Entry(
        what="The run {run} has pods that failed{shares}.",
        why="{why}",
        fix=("{logs}",),
        warning=True,
    ),
    "job-failed/run-before": Entry(
        what="The run before, {before}, has failed; {run} is under way.",
        why="{why}",
        fix=("$ logs job/{before}",),
        warning=True,
    ),
    "terminating/workload-held": Entry(
        what="The {kind} {name} is being deleted, since {since}.",
        why="It waits for {held}.",
        fix_in_repository=("{release}", "{apply}"),
        fix=("{release}", TO_BE_MADE_AGAIN),
    ),
    "terminating/workload": Entry(
        what="The {kind} {name} is being deleted, since {since}.",
        fix_in_repository=("$ get {kind_in_commands} {name} -w", "{apply}"),
        fix=("$ get {kind_in_commands} {name} -w", TO_BE_MADE_AGAIN),
    ),
    "terminating/pod-held": Entry(
        what="The pod {pod} should have ended at {since}, and is still there.",
        why="It waits for {held}.",
        fix=("{release}",),
    ),
    "terminating/pod": Entry(
        what="The pod {pod} should have ended at {since}, and is still there.",
        why="Its node may not answer.",
        fix=("$ delete pod {pod} --force --grace-period=0",),
    ),
}

ANSWERING = {
    "probe-port": Entry(
        what="The probe asks the port {port}, and the container names none so.",
        change="the probe's port",
    ),
    "wrong-port/other": Entry(
        what="It listens on {listening}; the probe asks {port}.",
        fix=("let the application listen on {port}, or:", "{change}"),
        change="containerPort and PORT: {first}",
    ),
    "wrong-port/local": Entry(
        what="It listens on 127.0.0.1:{port} only, which nothing outside its pod reaches.",
        fix=("let the application listen on 0.0.0.0",),
    ),
    "wrong-port/nothing-answers": Entry(
        what="It runs, and nothing answers on port {port}.",
        why="It listens on another port, on 127.0.0.1 only, or has not come so far.",
        fix=("{logs}",),
    ),
    "wrong-port/no-port": Entry(
        what="It runs, and listens on no port; the Service {service} leads to {port}.",
        fix=("{logs}",),
    ),
    "health-path": Entry(
        what="The probe's path {path} answers {status}.",
        why=NO_LOGIN_NEEDED,
        change="the path of its probes (it is {path})",
    ),
    "probe-failed/status": Entry(
        what="The probe's path {path} answers {status}.",
        why="Its log says why.",
        fix=("{logs}",),
    ),
    "probe-failed/scheme": Entry(
        what="It answers on port {port}, but not as its probe asks.",
        why="It speaks {scheme}.",
        change="scheme: {scheme} in the httpGet of its probes",
    ),
    "probe-failed/command": Entry(
        what="It runs, and its probe's command fails.",
        fix=("{logs}",),
    ),
    "probe-failed/slow": Entry(
        what="It runs, and does not answer its probe in time.",
        fix=("{logs}",),
    ),
    "probe-failed/silent": Entry(
        what="It runs, and its probe does not succeed.",
        fix=("{logs}",),
    ),
    "rollout-stuck/pod": Entry(
        what=("It waits for the pod {pod}, which is of the release before and not ready."),
        why="A StatefulSet does not replace such a pod by itself.",
        fix=("$ delete pod {pod}",),
    ),
    "rollout-stuck/deployment": Entry(
        what="The rollout does not come to its end.",
        fix=("{undo}", "$ describe {kind_in_commands} {name}"),
    ),
    "starting/init": Entry(
        what=(
            "It is starting: {ready} of {wanted} pods are ready, and the init container {init} "
            "still runs."
        ),
        why="Its log says what it waits for.",
        fix=("{logs}",),
    ),
    "starting/pods": Entry(
        what="It is starting: {ready} of {wanted} pods are ready{older}.",
        why="{seen}",
        fix=("$ {look} {target}", "{if_it_stays}"),
    ),
    "anyuid-lost": Entry(
        what="It runs as a random user{granted}, although its account is anyuid.",
        why="{why}",
        change="{what_to_change}",
    ),
}

ROUTING = {
    "object-missing": Entry(
        what="The {object_kind} {object} is not there.",
        why="{folder}/ has it; it was deleted, or never applied.",
        fix=("{apply}",),
    ),
    "service-port/nothing-listens": Entry(
        what="The Service {service} leads to the port {target_port}, on which nothing listens.",
        why="{why}",
        fix=("{lines}",),
    ),
    "service-port/not-named": Entry(
        what=(
            "The Service {service} leads to the port {target_port}, which the container does not "
            "have."
        ),
        why="{why}",
        fix=("{lines}",),
    ),
    "service-port/route": Entry(
        what=(
            "The Route {route} leads to the port {target_port}, which the Service {service} does "
            "not have."
        ),
        why="It has {have}.",
        fix_in_repository=("{apply}",),
        fix=("$ patch route {route} --type=merge -p {patch}",),
    ),
    "service-no-pods": Entry(
        what="The Service {service} leads to no pod of {name}.",
        why="Its selector is {selector}, which the pods are not labelled with.",
        fix_in_repository=("{apply}",),
        fix=("$ {select}",),
    ),
    "service-shared": Entry(
        what="The Service {service} leads to another application's pods, too: {strangers}.",
        why="They have the same labels.",
        fix=(
            "$ get pods --show-labels -l {selector}",
            "give each application a label of its own, in its selector, its pods and its Service",
        ),
        warning=True,
    ),
    "network-policy/router": Entry(
        what="The project's network policies let the router not reach it: {policies}.",
        why="Its address gets no answer.",
        fix=("{allow}",),
    ),
    "network-policy/nobody": Entry(
        what="The project's network policies let nobody reach it: {policies}.",
        fix=("{allow}",),
    ),
    "route-service": Entry(
        what="The Route {route} leads to the Service {service}, which is not there.",
        fix_in_repository=("{apply}",),
        fix=("$ {lead}",),
    ),
    "route-no-host": Entry(
        what="The Route {route} has no host, so there is no address.",
        why=(
            "The cluster gives one when a Route is made without; its first label, route and "
            "project together, holds 63 characters."
        ),
        fix_in_repository=("$ delete route {route}", "{apply}"),
        fix=("$ delete route {route}", "$ create route edge {route} --service={service}"),
    ),
    "route-refused/taken": Entry(
        what="The router does not take the Route {route} ({reason}).",
        why="Another Route has this host: leave host out, and the cluster gives one.",
        fix_in_repository=("$ delete route {route}", "{apply}"),
        fix=("$ delete route {route}", "$ create route edge {route} --service={service}"),
    ),
    "route-refused/other": Entry(
        what="The router does not take the Route {route} ({reason}).",
        fix_in_repository=("$ delete route {route}", "{apply}"),
        fix=("$ delete route {route}", "$ create route edge {route} --service={service}"),
    ),
    "claim-ending": Entry(
        what=(
            "The storage {claim} was deleted, and goes with its data when no pod uses it any more."
        ),
        why="Its pods still have it: do not restart them before you have a copy.",
        fix=(
            "{copy}",
            "then make a claim of another name, put the copy there, and name it in the {kind}",
        ),
        warning=True,
    ),
    "mixed-images": Entry(
        what="Its pods run different images.",
        why="They were started before and after a publish.{policy}",
        fix=("{restart}",),
        warning=True,
    ),
    "old-image/tag": Entry(
        what="An older image runs: {tag} is now another one.",
        why="{running} runs, {published} is published.{policy}",
        fix=("{restart}",),
        warning=True,
    ),
    "old-image/pinned": Entry(
        what="An older image runs than the newest one published.",
        why="It is pinned to {running}; latest is {newest}.",
        fix=("the publish run's summary has the command (gh run view)",),
        warning=True,
    ),
    "old-image/published-since": Entry(
        what="A newer image was published after its pods started.",
        why="Published {published}, started {started} (UTC).{policy}",
        fix=("{restart}",),
        warning=True,
    ),
    "token-ends": Entry(
        what="The token in {secret} ends {in_days}, on {day}.",
        why="Running pods keep running; the next pull fails.",
        fix=("{new_secret}",),
        warning=True,
    ),
    "token-too-wide": Entry(
        what="The token in {secret} may more than read packages: {scopes}.",
        why="Who reads the project's secrets can use it.",
        fix=("{new_secret}",),
        warning=True,
    ),
    "restarted": Entry(
        what="It runs, but ended at {ended} with status {status} ({restarts} restarts).",
        fix=("{logs}",),
        warning=True,
    ),
}

ENTRIES = {
    **COULD_NOT_LOOK,
    **PROJECT_AND_WORKLOAD,
    **PUBLISHING,
    **IMAGE_STREAMS,
    **PULL_SECRETS,
    **PULLING,
    **ADMISSION,
    **STORAGE_AND_NODES,
    **STARTING,
    **ANSWERING,
    **ROUTING,
}
# The findings' names, in the order in which to fix them.
ORDER = list(dict.fromkeys(key.partition("/")[0] for key in ENTRIES))
