"""Disasters for `chaos.py`: a computer, a network and an exchange that fail, all in one process, all from one seed.

The bot that lives in it is the product's own; only its wire, its disk and its clock are handed in.
"""
