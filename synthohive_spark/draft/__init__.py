"""Metadata proposed from a lake: keys from what tables declare, from their data and from their names."""
