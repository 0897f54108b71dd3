"""Workload and faults together, a seed each: kills, failpoints, server and connection lost, disk full, power loss, the clock stepped."""

from crash.fault_run import FaultRun


def test_faults_from_a_seed(seed, millrace, audit):
    FaultRun(seed, millrace, audit).run()
