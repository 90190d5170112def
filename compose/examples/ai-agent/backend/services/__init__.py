"""Its four services; each is started on its own with `python -m backend.services.NAME.app`."""
