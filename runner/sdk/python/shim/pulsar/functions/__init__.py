"""Interfaces of Python functions."""
