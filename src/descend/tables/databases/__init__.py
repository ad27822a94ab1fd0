"""Queries on PostgreSQL and SQLite as scans, and the SQL that is sent there."""
