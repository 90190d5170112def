"""The tests of Stack Auditor."""
