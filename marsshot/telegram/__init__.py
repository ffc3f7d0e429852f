"""The owner's hands on the phone: a small process of its own that reads his commands at Telegram.

It never touches the exchange or the book: what he asks for is asked of the bot as the command line asks, and what he
wants to see is read by a short-lived child.
"""
