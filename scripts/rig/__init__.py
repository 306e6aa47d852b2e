"""The rig: real engines on free ports with data of their own, for the drill and for the tests of the whole chain."""
