"""Runs of CronJobs and Jobs."""

from situation import (
    FAILED,
    IMAGE,
    NOW,
    crashes,
    findings_of,
    fixes,
    healthy,
    run_of_a_job,
    status,
    verdict,
)


def test_a_run_of_a_job():
    facts = healthy()
    template = facts["workload"]["spec"]["template"]
    facts["workload"] = {
        "kind": "CronJob",
        "metadata": {"name": "kg-demo", "uid": "w"},
        "spec": {
            "suspend": True,
            "schedule": "0 0 30 2 *",
            "jobTemplate": {"spec": {"template": template}},
        },
        "status": {},
    }
    facts.update(services=[], routes=[], sets=[], pods=[])
    assert verdict(facts) == []
    facts["jobs"] = [
        {
            "metadata": {"name": "kg-demo-1", "uid": "j"},
            "spec": {"parallelism": 8},
            "status": {
                "failedIndexes": "3,7",
                "conditions": [
                    {
                        "type": "Failed",
                        "status": "True",
                        "reason": "FailedIndexes",
                        "message": "Job has failed indexes",
                    }
                ],
            },
        }
    ]
    found = findings_of(facts, NOW)
    assert [f.name for f in found] == ["job-failed"] and "shares 3,7" in found[0].what


def test_a_job_is_made_again():
    """The specification of its pods cannot be changed."""
    facts = crashes(run_of_a_job(healthy(), [FAILED]), "", 137, "OOMKilled")
    assert verdict(facts) == ["out-of-memory"] and fixes(facts) == [
        "oc -n demo delete job kg-demo",
        "make it again with: resources.limits.memory: 2Gi, or less in memory",
    ]
    facts = run_of_a_job(healthy(), [{**FAILED, "reason": "DeadlineExceeded"}])
    facts["pods"] = []
    assert (
        verdict(facts) == ["job-failed"]
        and fixes(facts)[-1] == "make it again with: a longer activeDeadlineSeconds"
    )
    assert verdict(run_of_a_job(healthy(), spec={"suspend": True})) == ["paused"]


def test_a_run_that_still_tries_gives_way_to_the_new_one():
    facts = status(
        run_of_a_job(healthy(), kind="CronJob"),
        waiting={"reason": "ImagePullBackOff", "message": "manifest unknown"},
    )
    facts["pods"][0]["spec"]["containers"][0]["image"] = IMAGE.replace("latest", "none-such")
    assert fixes(facts)[-3:] == [
        f"oc -n demo set image cronjob/kg-demo kg-demo={IMAGE}",
        "oc -n demo delete job kg-demo-1",
        "oc -n demo create job kg-demo-11241200 --from=cronjob/kg-demo",
    ]


def test_a_run_that_ended_well_after_all():
    """What failed on the way is over."""
    facts = crashes(run_of_a_job(healthy(), [{"type": "Complete", "status": "True"}]), "no", 1)
    facts["pods"][0]["status"]["phase"] = "Failed"
    assert verdict(facts) == []


def test_a_run_that_failed_before_the_one_that_is_under_way():
    facts = run_of_a_job(healthy(), kind="CronJob")
    facts["jobs"].insert(
        0,
        {
            "metadata": {"name": "kg-demo-0", "uid": "j0"},
            "spec": {},
            "status": {"conditions": [FAILED]},
        },
    )
    found = findings_of(facts, NOW)
    assert [(f.name, f.warning) for f in found] == [("job-failed", True)] and found[0].fix == [
        "oc -n demo logs job/kg-demo-0"
    ]
    facts["jobs"][1]["status"]["conditions"] = [{"type": "Complete", "status": "True"}]
    assert verdict(facts) == []
