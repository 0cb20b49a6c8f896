"""The flat lab: do this camera's cold pixels lose sensitivity at low light, and which flats mend it?"""
