"""Fault injection for `chaos.py`: file system, network and exchange fail, all in one process, all from one seed.

The bot that lives in it is the product's own; only its transport, its file system and its clock are passed in.
"""
