"""The door: passes requests on to the service that they are for."""
