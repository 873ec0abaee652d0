"""Tries an image locally as the cluster will run it, and prints the commands that deploy it.

What CRI-O gives a container and `docker run` does not (cri-o: crio.conf(5),
server/container_create.go, utils/utils.go, as of 2026-08):

| What | On the cluster | In the trial |
|---|---|---|
| user | a number of the project, group 0 | the same: options.ANY_UID |
| /etc/passwd | a line for that number, unless missing, empty, shared | the same: passwd |
| HOME | the image's or manifest's; else that of the passwd line, / | the same |
| capabilities | none; under `anyuid` CRI-O's default ones | the same: options.user_options |
| ports below 1024 | refused without a capability | the same, by a sysctl |
| VOLUME | a folder of the image, as read-only as the rest | the same: options.image_volumes |
| read-only root, memory, command, workingDir, env, mounts | the manifest's | the same |
| HEALTHCHECK | ignored | ignored: the manifest's probes are asked |
| STOPSIGNAL, WORKDIR that is not there | heeded; made | the same in Docker |
| /dev/shm | 64 MiB | the same in Docker |
| seccomp | RuntimeDefault; none under `anyuid` | Docker's own profile, which is close |
| groups | also the project's fsGroup | group 0 only |
| processes, open files | the kubelet's podPidsLimit; CRI-O's own limits | Docker's |
| CPU, ephemeral storage | the manifest's limits | not limited |
| a group in USER, under `anyuid` | left out: group 0 | the image's |
| a working folder that only root may enter | crun refuses it | runc lets it be |
| host name, DNS, /etc/hosts, service account | the pod's | Docker's; no token |
| SELinux, user namespace | on | what this machine has |
| HOSTNAME, container=crio, TERM | HOSTNAME is the pod's name | HOSTNAME is the container's number |
"""
