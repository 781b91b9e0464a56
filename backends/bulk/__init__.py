"""Bulk work on a cluster: many files read, many questions asked, by workers on one machine or on hundreds."""
