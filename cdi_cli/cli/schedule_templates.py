"""The texts of the units for schedulers elsewhere; `@word@` is filled in, everything else stands as it is.

Actions are named by commit, as a tag can be moved.
"""

from __future__ import annotations

import re

_BLANK = re.compile(r"@([a-z_]+)@")


def fill(template: str, **values: object) -> str:
    """The template with its blanks filled in; raises KeyError for one without a value."""
    return _BLANK.sub(lambda match: str(values[match.group(1)]), template)


CRON_JOB = """\
# @name@: send what changed, every @every@.
# See the logs with: kubectl logs -l app.kubernetes.io/name=@name@
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: @name@
spec:
  accessModes: [ReadWriteOncePod] # the checkpoint has one writer; block storage, since file locks over NFS cannot be trusted
  resources: {requests: {storage: 5Gi}}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: @name@
spec:
  schedule: "@cron@"
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: @starting_seconds@
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 0 # the next run goes on where this one stopped
      activeDeadlineSeconds: @hard_seconds@
      template:
        metadata:
          labels: {app.kubernetes.io/name: @name@}
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: @kill_seconds@
          automountServiceAccountToken: false
          securityContext:
            runAsNonRoot: true
            runAsUser: 10001
            runAsGroup: 10001
            fsGroup: 10001
            fsGroupChangePolicy: OnRootMismatch
            seccompProfile: {type: RuntimeDefault}
          containers:
            - name: cdi
              image: @image@
              command: [@command@]
              args: @arguments@@env@
              resources: {requests: {cpu: 100m, memory: 192Mi}, limits: {memory: 512Mi}}
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities: {drop: [ALL]}
              volumeMounts:
                - {name: checkpoint, mountPath: @state@}
                - {name: scratch, mountPath: /tmp}
          volumes:
            - name: checkpoint
              persistentVolumeClaim: {claimName: @name@}
            - name: scratch
              emptyDir: {}
"""

WORKFLOW = """\
# @name@: send what changed, every @every@ or so. Copy to .github/workflows/@name@.yml
#
# Second best, and only in a PRIVATE repository. A sync lives on its checkpoint, and a runner has no disk that stays:
# - The cache carries it from run to run. Caches may be dropped (7 days without use, 10 GB a repository). Without one the run
#   fails instead of sending everything again, until somebody makes a new backfill.
# - A run that is killed saves nothing: the next one repeats its events. Their ids are the same, and a destination that
#   deduplicates (Segment: 24 hours) takes them once.
# - Dead letters in the checkpoint hold records of customers. Whoever can read the repository can read its caches.
# - GitHub starts scheduled runs late, leaves some out, and stops a schedule after 60 days without a commit.
# A machine with a disk has none of this: `cdi schedule --as systemd`, `--as cron` or `--as kubernetes`.
name: @name@

on:
  schedule:
    - cron: "@cron@"
  workflow_dispatch:

permissions:
  contents: read

concurrency:
  group: @name@
  cancel-in-progress: false

jobs:
  sync:
    runs-on: ubuntu-latest
    timeout-minutes: @job_minutes@
    steps:
      - uses: actions/checkout@34e114876b0b11c390a56381ad16ebd13914f8d5 # v4.3.1
        with:
          persist-credentials: false
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with:
          python-version: "3.12"
      - run: pip install cdi-cli==@version@

      - name: The checkpoint of the last run
        uses: actions/cache/restore@0057852bfaa89a56745cba8c7296529d2fc39830 # v4.3.0
        with:
          path: @state@
          key: @name@.checkpoint-${{ github.run_id }}-${{ github.run_attempt }}
          restore-keys: @name@.checkpoint-

      - name: Sync
        timeout-minutes: @minutes@@env@
        run: |
          @words@ --log-file @name@.log

      - name: Keep the checkpoint
        if: always()
        uses: actions/cache/save@0057852bfaa89a56745cba8c7296529d2fc39830 # v4.3.0
        with:
          path: @state@
          key: @name@.checkpoint-${{ github.run_id }}-${{ github.run_attempt }}

      - name: Keep the log
        if: always()
        uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2
        with:
          name: @name@-log
          path: @name@.log
          retention-days: 7
          if-no-files-found: ignore
"""

DAG = '''\
"""@name@: send what changed, every @every@. A run that finds another one at work is skipped."""

from datetime import datetime, timedelta, timezone

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.operators.bash import BashOperator

COMMAND = @command@

with DAG(
    dag_id="@name@",
    schedule=timedelta(seconds=@every_seconds@),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["cdi"],
):
    BashOperator(
        task_id="sync",
        bash_command="{% raw %}" + COMMAND + "{% endraw %}",
        retries=0,
        execution_timeout=timedelta(seconds=@hard_seconds@),
    )
'''
