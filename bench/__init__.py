"""Measures the auditor against the floor of its parts: medians and ratios taken in one run."""
