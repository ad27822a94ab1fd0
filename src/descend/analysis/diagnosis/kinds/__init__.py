"""The kinds of findings: each module holds looks at the evidence and adds the kinds that they see to FINDINGS."""
