"""The demo fleet: a discrete-event simulation of agents, and the sender that posts what happens as events."""
