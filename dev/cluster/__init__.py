"""A real Kubernetes on one bare Debian machine, for the demo and the end-to-end tests.

Simulated API servers lie about exactly the things an operator gets wrong (admission, volumes,
eviction, DNS), so the project tests on real kubelets. Everything lives in one network namespace
and below one state folder and one cgroup: what has one place can be removed without a trace.
"""
