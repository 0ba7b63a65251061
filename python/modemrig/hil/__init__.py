"""The hardware-in-the-loop suite. Run it with ``modemrig hil``, or with pytest: ``pytest --pyargs modemrig.hil``."""
