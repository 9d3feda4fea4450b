"""What can be proven: the trail of calls, configuration, findings, evidence and reports."""
