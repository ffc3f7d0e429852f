"""The daily plan and the reasons of decisions. Pure: never fetches, orders or saves."""
