"""The screen of starwell: a Textual app that shows events and sends commands."""
