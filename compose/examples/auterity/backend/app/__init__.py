"""The platform's backend: API, workers and the services that they share."""
